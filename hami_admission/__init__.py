"""hami-admission: shared accelerators for Kubernetes.

Read the packages in this order; each opens with what lives there:

- ``model``: the nouns (card, pod, request, grant, amounts, verdict)
- ``wire``: texts shared with other programs, decoded and encoded
- ``vendors``: what differs between accelerator families
- ``quota``: what a namespace may take
- ``admission``: may the pod enter, and how must it look
- ``placement``: where does the pod fit
- ``node``: what a node decides about its cards, and what a container gets of them
- ``cluster``: what we know now, the one mutable thing
- ``metrics``: the same as numbers for Prometheus
- ``simulate``: the same decisions on files
- ``doctor``: what is wrong with a cluster, from its objects (``examine`` looks at them)
- ``kube``, ``certificates``, ``control``: the API server, TLS, and the process that serves
"""

__version__ = "0.2.0"
