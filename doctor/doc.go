// Package doctor says what facts mean for somebody who is about to build: what
// is well, what will make builds worse, what will stop them, and what mends it.
//
// Looking is done elsewhere: package detect looks at the machine, builder/nodes
// asks nodes, the facade asks registries and plans templates. What they found
// becomes Checks here, each with an ID that stays the same from version to
// version (docs/doctor.md explains each), and the Checks become a Report, which
// prints as text and as JSON. Nothing here touches the machine, so everything
// is tested with values.
//
// A status is meant strictly:
//
//   - ok: nothing to do;
//   - degraded: builds work, but slower, less safely, or not for everybody;
//   - missing: builds that need it fail;
//   - unknown: it could neither be read nor tried, and why. That is no fault.
package doctor
