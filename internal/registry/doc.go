// Package registry is the one door through which archbuild talks to image
// registries.
//
// # What a registry holds
//
// A repository holds manifests, each named by the hash of its bytes (its
// digest). A manifest is an image (one config, a list of layers, one platform)
// or an index (a list of manifests, each with its platform). A tag is a name
// that points at one of them and may move at any time; a digest never changes
// what it means. So a digest's answer is kept on disk for ever, a tag is asked
// for once in every run, by a HEAD, which the big registries do not count
// against their pull limits.
//
// # Who is asked
//
// The mirrors that buildkitd.toml names for a registry, in order, then the
// registry itself, exactly as BuildKit does, so that what was found here is what
// the build will find. Pushing, and Head, go to the registry itself. Plain
// http is used for loopback addresses and where the configuration says so.
//
// # What is sent
//
// A blob is taken over from another repository of the registry if it can be,
// asked for, and only then sent: in chunks, from where the registry says that it
// has come so far, in this run or an earlier one. Nothing of a size that the
// other side chooses is held in memory.
//
// # How much a host gets, and how patiently
//
// So many requests at once and in a second, fewer if it asks for a pause. What
// may pass (too many requests, server errors, lost connections, transfers that
// stand still, content that comes damaged) is tried again a few times, after
// pauses that grow.
//
// # Where an answer may lead
//
// Redirects, token servers and places to upload to may be on other hosts. They
// get no credentials but a token server those that are for this registry; none of
// them may be in the clear if the registry is not, at a link-local or metadata
// address, in a private network if the registry is public, or on this machine if the
// registry is not, whatever name it goes by. Nor may the registry's own name, later than its first answer. Who
// makes tokens cannot have the password sent on. What a layer says of other places that it can be had from (urls) is not followed. Where the hosts lie that buildkitd.toml names is the user's own choice.
//
// # What is believed
//
// Nothing that was not hashed. Every manifest and config is checked against
// its digest, also when it comes from the disk. Sizes and the number of an
// index's children are bounded. Errors carry no credentials and no control
// characters, since their text comes from the other side.
package registry
