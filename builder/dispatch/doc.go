// Package dispatch has jobs done on nodes.
//
// Package schedule decides which node takes which job; here that meets the world, in
// which jobs take time, fail, and nodes go away. A Dispatcher starts what the
// scheduler says, looks after the nodes that have something to do, takes the jobs of
// a lost node back, and has them done elsewhere. It knows nothing of BuildKit: what
// a job does, and whether a failure is the job's or the node's, are functions.
package dispatch
