package lint

import "github.com/archbuild/archbuild/platform"

// Base is what plan knows of one reference to an image on one platform.
type Base struct {
	// Line and Where are the place of the reference: "FROM", "COPY --from" …
	Line  int
	Where string
	// Image is the reference with its ARGs evaluated, Platform what it has to serve. That is
	// the build platform in a stage that runs there.
	Image    string
	Platform platform.Platform
	// Targets are the wanted platforms that ask for it.
	Targets []platform.Platform
	// BroughtBy is the base whose ONBUILD instruction names it, or empty.
	BroughtBy string
	// Ruled tells that archbuild.yaml, a flag or a comment of the file says which image it is.
	Ruled bool
	// Use is the image that serves it; empty where nobody was asked or none does. Rule is
	// what named it.
	Use, Rule string
	// Why nothing serves it, a clause; empty where something does or nobody can tell.
	Why string
	// Offers are the platforms that there is an image for. Single tells that the reference is
	// the digest of one image.
	Offers []platform.Platform
	Single bool
}

// Configured is a platform that archbuild.yaml asks for.
type Configured struct {
	File     string
	Line     int
	Platform platform.Platform
}
