// Package schedule decides which node does which job, and when.
//
// It is a value without a clock: the caller tells what happens (a job ended, a node
// is lost), and Next says what to start. So the same code that serves a run is tried
// in virtual time with thousands of jobs, and shows in advance what it would do.
//
// What it decides by, in this order:
//
//   - Way. Of the living nodes that have an option for a job only those of the best
//     way count: native before cross before emulated. Another way counts only when
//     all nodes of the better one are lost. Which options there are at all is the
//     caller's word: leave out what is not allowed, and it never happens.
//   - The end. A job is planned on the node that is expected to end it soonest: what
//     waits there already, and the seconds that the job takes there. Those are what
//     it took there last time; else what it took elsewhere, scaled by the weights of
//     both nodes; else what the other jobs take on average.
//   - A warm cache, more free slots, a greater weight, the order of nodes.
//
// Jobs that few nodes can do are planned before those that many can do, and long ones
// before short ones. Then each is planned again until none would end sooner elsewhere. On
// their node, long jobs start first, then those that few nodes can do. The plan is only what
// is expected: a node with a free slot and nothing planned takes what was planned
// elsewhere, so no slot is idle while a job waits that its node may do. A caller that
// tells the time allows one exception, see Now.
//
// The same calls always give the same answers; ties fall by the order of Add.
package schedule
