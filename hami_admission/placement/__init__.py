"""Where does the pod fit? One loop for all vendors: order, check, charge, choose.

Usage is a value: cards with what is taken of them. Adding or removing gives new cards, so that a
pod can be tried on a node without undoing anything.
"""
