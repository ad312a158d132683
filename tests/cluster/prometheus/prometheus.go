//go:build tools

// Package prometheus pins what alerts and dashboards are tried with. A module of its own, as the
// kubelet's is: both would change each other's versions.
package prometheus

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
