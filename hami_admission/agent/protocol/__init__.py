"""Messages of the kubelet's two protocols, made from the .proto files by ``make protocol``."""
