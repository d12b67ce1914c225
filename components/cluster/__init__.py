"""Access to the Kubernetes cluster that the workloads run on."""
