// Package placement tells on which machines of a cluster the images of services can run, and what a scheduler has to be told
// so that they run there and nowhere else.
//
//	images (what they hold) ┐
//	services (what is written by hand) ├─► Decide ─► Table: service × platform, each cell with its reason,
//	cluster (machines) ┘                             and for each service the Demand on its scheduler
//
// A Demand is what is needed and no more. With A the platforms of an image, C those of the cluster and N what both have:
// where N is C nothing is said, where N is one platform it is named, else each of C that is not in N is excluded; for two of
// the three schedulers know AND and no OR. How each of them compares is written down beside the code that writes for it:
//
//	swarm       node.platform.arch is the text that `uname -m` prints, compared without regard to case; == and !=, AND only
//	cattle      labels of hosts, set by hand, equal or not; AND only
//	kubernetes  kubernetes.io/arch is Go's word (amd64, arm): In, and terms of which one has to hold
//
// What no scheduler can tell from its own words (two variants of arm in Kubernetes, memory) is asked of a label that somebody
// has to set; Demand.Labels lists which nodes need it. An image that can run nowhere gets a Demand that no machine meets: its
// service then waits, and does not crash somewhere.
//
// The package is pure. Package placement/files reads what others wrote, the facade asks registries.
package placement
