// Package port makes edits of the findings of lint: a Dockerfile that was written for
// one architecture comes in, one that serves several goes out.
//
// An edit is made only where the platform that the file was written for gets exactly
// what it had. What differs by platform gets a name:
//
//   - in RUN a variable that a case on TARGETARCH sets, or TARGETARCH itself where the
//     project's names are Docker's
//   - in ENV, ADD, COPY and WORKDIR, where no shell runs, an ARG whose default is what
//     stood there, and archbuild.yaml gives it its value on the other platforms
//
// What cannot be known, such as the checksum of the other platform's file, becomes a
// Gap: the build of that platform fails there and says what is missing.
//
// Bytes outside an edit stay: comments, line ends, the way lines are continued.
//
// The package is pure: which images exist and which files the context has comes in
// with the Request.
package port
