"""Values that people install with: each is rendered for every Kubernetes that we support."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

DIGEST = f"sha256:{'a' * 64}"

SCRIPTED: Json = {
    "agent": {
        "driver": "scripted",
        "isolation": "none",
        "script": {"cards": [{"uuid": "GPU-0", "name": "A100-SXM4-80GB", "memoryMiB": 81920}]},
    }
}

OTHER_NAMES: Json = {
    "resourceName": "example.com/card",
    "resourceMem": "example.com/card-memory",
    "resourceMemPercentage": "example.com/card-percent",
    "resourceCores": "example.com/card-cores",
    "resourcePriority": "example.com/card-priority",
    "schedulerName": "cards",
    "devices": {
        "awsneuron": {
            "resourceCountName": "example.com/neuron",
            "resourceCoreName": "example.com/neuron-core",
        }
    },
}

RELEASED: dict[str, Json] = {
    "the defaults": {},
    "one replica": {"scheduler": {"replicas": 1}},
    "a certificate of one's own": {
        "certificates": {"mode": "existingSecret", "existingSecret": "mine", "caBundle": "YQ=="}
    },
    "cert-manager": {"certificates": {"mode": "certManager"}},
    "an issuer of cert-manager": {
        "certificates": {
            "mode": "certManager",
            "certManager": {"issuerRef": {"name": "company", "kind": "ClusterIssuer"}},
        }
    },
    "scripted cards": SCRIPTED,
    "an agent that steers by devices": {
        "agent": {
            "mode": "devices",
            "privileged": True,
            "runtimeClassName": "nvidia",
            "settings": {"device-list-strategy": "cdi-cri"},
            "deviceConfig": {"healthQuietSeconds": 60, "deviceMemoryScaling": 1.5},
            "nodeConfig": {"nodeconfig": [{"name": "n1", "devicesplitcount": 4}]},
            "updateStrategy": {"type": "OnDelete", "rollingUpdate": None},
            "kubeletPath": "/var/snap/kubelet",
            "hookPath": "/opt/hami",
        }
    },
    "cards that are cut": {
        "agent": {"nodeConfig": {"nodeconfig": [{"name": "n1", "operatingMode": "mig"}]}}
    },
    "the device plugin of HAMi": {"agent": {"enabled": False}},
    "other names": OTHER_NAMES,
    "named schedulers only": {"otherSchedulers": ["volcano", "kueue"]},
    "no other scheduler": {"otherSchedulers": []},
    "a name of digits, and no priority": {
        "schedulerName": "2026",
        "scheduler": {"priorityClassName": ""},
        "agent": {"priorityClassName": ""},
    },
    "a webhook that may fail": {
        "scheduler": {"admissionWebhook": {"failurePolicy": "Ignore", "timeoutSeconds": 10}}
    },
    "namespaces left alone": {
        "scheduler": {
            "admissionWebhook": {
                "whitelistNamespaces": ["gpu-operator"],
                "namespaceSelector": {"matchLabels": {"team": "a"}},
                "objectSelector": {
                    "matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]
                },
            }
        }
    },
    "everything on": {
        "global": {"imageRegistry": "registry.example", "imagePullSecrets": [{"name": "pull"}]},
        "image": {"digest": DIGEST},
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        },
        "prometheus": {
            "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
            "rules": {"enabled": True},
        },
        "scheduler": {
            "podAnnotations": {"a": "b"},
            "podLabels": {"c": "d"},
            "nodeSelector": {"role": "system"},
            "tolerations": [{"key": "system", "operator": "Exists"}],
            "serviceAccount": {"annotations": {"e": "f"}},
            "affinity": {"nodeAffinity": {}},
        },
    },
}
"""With values that the release has too."""

SINCE: dict[str, Json] = {
    "several names of our scheduler": {"moreSchedulerNames": ["hami-before", "second"]},
    "reviews of the API server's addresses": {
        "scheduler": {"admissionWebhook": {"senders": "api-server"}}
    },
    "reviews of ranges, with a certificate": {
        "networkPolicy": {"enabled": True},
        "scheduler": {
            "admissionWebhook": {
                "senders": ["10.0.0.0/28", "2001:db8::/64"],
                "clientAuthority": "ca",
            }
        },
    },
}

SETS = RELEASED | SINCE
