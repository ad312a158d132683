//go:build tools

// Package kubelet pins the kubelet of the node tests. A module of its own: what the kubelet needs
// is no reason to build the control plane anew.
package kubelet

import _ "k8s.io/kubernetes/cmd/kubelet"
