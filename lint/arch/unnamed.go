package arch

import (
	"regexp"
	"strings"
)

// Unnamed is a file that is for one machine, though its name says none.
type Unnamed struct {
	// Project that offers it, and its words where it offers files for others too.
	Project Project
	// Arch is the machine that it is for.
	Arch string
	// At and End are the bytes of the text that name the file: from the URL's begin on.
	At, End int
	// Other is what the project's own file for arm64 is called, with ${…} for what varies;
	// empty when it has none.
	Other string
}

// FindUnnamed finds a URL of such a file in a text.
func FindUnnamed(text string) (Unnamed, bool) {
	if len(text) > longestText || !strings.Contains(text, "/") {
		return Unnamed{}, false
	}
	for _, u := range unnamed {
		if loc := u.pattern.FindStringIndex(text); loc != nil {
			project, ok := Lookup(text[loc[0]:])
			if !ok {
				project = Project{Name: u.name}
			}
			return Unnamed{Project: project, Arch: u.arch, At: loc[0], End: loc[1], Other: u.other}, true
		}
	}
	return Unnamed{}, false
}

// end is where a URL's path ends: behind it stands nothing that could name a machine.
const end = `(?:$|[\s"'?#;|&)])`

// unnamed are the files of well-known projects whose names tell no machine.
var unnamed = []struct {
	name    string
	pattern *regexp.Regexp
	arch    string
	other   string
}{
	{"tini", regexp.MustCompile(`github\.com/krallin/tini/releases/download/[^\s/]*/tini(?:-static|-muslc?|-muslc-static)?` + end), "amd64", "tini-arm64"},
	{"tini", regexp.MustCompile(`github\.com/krallin/tini/releases/download/[^\s/]*/tini_[^\s/_-]*\.(?:deb|rpm)` + end), "amd64", "tini_VERSION-arm64.deb"},
	{"dumb-init", regexp.MustCompile(`github\.com/Yelp/dumb-init/releases/download/[^\s/]*/dumb-init(?:_[^\s/_]*)?` + end), "amd64", "dumb-init_VERSION_aarch64 (from 1.2.3 on)"},
	{"cni", regexp.MustCompile(`github\.com/containernetworking/cni/releases/download/[^\s/]*/cni-v?[^\s/]*\.t(?:ar\.)?gz` + end), "amd64", "cni-plugins-linux-arm64-VERSION.tgz of containernetworking/plugins"},
	{"cni-plugins", regexp.MustCompile(`github\.com/containernetworking/plugins/releases/download/[^\s/]*/cni-plugins-(?:v|\$)[^\s/]*\.tgz` + end), "amd64", "cni-plugins-linux-arm64-VERSION.tgz"},
	{"s6-overlay", regexp.MustCompile(`github\.com/just-containers/s6-overlay/releases/download/[^\s/]*/s6-overlay-installer` + end), "amd64", "s6-overlay-aarch64-installer"},
	{"openshift-client", regexp.MustCompile(`mirror\.openshift\.com/pub/openshift-v[34]/(?:clients|x86_64/clients)/[^\s]*/(?:openshift-client-linux|openshift-install-linux|opm-linux|oc-mirror)(?:-\$?[^\s/-]*)?\.tar\.gz` + end), "amd64", "the same file under https://mirror.openshift.com/pub/openshift-v4/aarch64/clients/"},
	{"openshift-client", regexp.MustCompile(`mirror\.openshift\.com/pub/openshift-v[34]/clients/[^\s]*/linux/oc\.tar\.gz` + end), "amd64", "openshift-client-linux.tar.gz under https://mirror.openshift.com/pub/openshift-v4/aarch64/clients/"},
	{"okd", regexp.MustCompile(`github\.com/(?:openshift/okd|okd-project/okd|openshift/origin)/releases/download/[^\s/]*/openshift-(?:client|install)-linux-[^\s/]*\.tar\.gz` + end), "amd64", "openshift-client-linux-arm64-VERSION.tar.gz"},
	{"sops", regexp.MustCompile(`github\.com/(?:mozilla|getsops)/sops/releases/download/[^\s/]*/sops-[^\s/]*[.-]linux` + end), "amd64", "sops-VERSION.linux.arm64 (from 3.7.2 on)"},
	{"pandoc", regexp.MustCompile(`github\.com/jgm/pandoc/releases/download/[^\s/]*/pandoc-[^\s/]*-linux\.tar\.gz` + end), "amd64", "pandoc-VERSION-linux-arm64.tar.gz (from 2.12 on)"},
	{"alpine-pkg-glibc", regexp.MustCompile(`github\.com/(?:sgerrand|andyshinn)/alpine-pkg-glibc/releases/download/[^\s/]*/glibc-[^\s/]*\.apk` + end), "amd64", ""},
	{"alpine-pkg-glibc", regexp.MustCompile(`github\.com/sgerrand/docker-glibc-builder/releases/download/[^\s/]*/glibc-bin-[^\s/]*[0-9}]\.tar\.gz` + end), "amd64", ""},
	{"steamcmd", regexp.MustCompile(`[^\s]*/steamcmd_linux\.tar\.gz` + end), "386", ""},
	{"docker-compose-wait", regexp.MustCompile(`github\.com/ufoscout/docker-compose-wait/releases/download/[^\s/]*/wait` + end), "amd64", "wait_aarch64 (from 2.8.0 on)"},
	{"codecov", regexp.MustCompile(`(?:uploader|cli)\.codecov\.io/[^\s/]*/(?:linux|alpine)/codecov(?:cli)?` + end), "amd64", "…/linux-arm64/codecov"},
	{"coveralls", regexp.MustCompile(`coveralls[^\s]*/coveralls-linux(?:\.tar\.gz)?` + end), "amd64", "coveralls-linux-aarch64.tar.gz"},
	{"swift", regexp.MustCompile(`swift\.org/builds/[^\s]*/(?:ubuntu|centos|amazonlinux|ubi|debian|fedora)[0-9.]*/[^\s/]*/swift-[^\s/]*(?:ubuntu|centos|amazonlinux|ubi|debian|fedora)[0-9.]*\.tar\.gz` + end), "amd64", "the file with -aarch64 behind the system's name, in the folder with -aarch64"},
	{"android", regexp.MustCompile(`dl\.google\.com/android/repository/platform-tools(?:-latest|_r[^\s/]*)?-linux\.zip` + end), "amd64", ""},
	{"android", regexp.MustCompile(`dl\.google\.com/android/repository/android-ndk-r[^\s/-]*-linux\.zip` + end), "amd64", ""},
	{"flutter", regexp.MustCompile(`storage\.googleapis\.com/flutter_infra[^\s]*/flutter_linux_[^\s/]*\.tar\.xz` + end), "amd64", ""},
	{"k3s", regexp.MustCompile(`github\.com/(?:rancher|k3s-io)/k3s/releases/download/[^\s/]*/k3s` + end), "amd64", "k3s-arm64"},
	{"coursier", regexp.MustCompile(`git\.io/coursier-cli-linux` + end), "amd64", "https://github.com/coursier/coursier/releases/latest/download/cs-aarch64-pc-linux.gz"},
	{"elm", regexp.MustCompile(`github\.com/elm/compiler/releases/download/[^\s/]*/binar(?:ies|y)-for-linux\.(?:tar\.)?gz` + end), "amd64", ""},
	{"dockerslim", regexp.MustCompile(`downloads\.dockerslim\.com/releases/[^\s/]*/dist_linux\.tar\.gz` + end), "amd64", "dist_linux_arm64.tar.gz"},
	{"pack", regexp.MustCompile(`github\.com/buildpacks/pack/releases/download/[^\s/]*/pack-v[^\s/]*-linux\.tgz` + end), "amd64", "pack-VERSION-linux-arm64.tgz"},
	{"faas-cli", regexp.MustCompile(`github\.com/(?:openfaas|alexellis)/(?:faas|faas-cli|of-watchdog|k3sup|arkade|inletsctl|derek)/releases/download/[^\s/]*/(?:faas-cli|fwatchdog|of-watchdog|k3sup|arkade|inletsctl)` + end), "amd64", "the file with -arm64"},
	{"traefik", regexp.MustCompile(`github\.com/(?:containous|traefik)/traefik/releases/download/[^\s/]*/traefik` + end), "amd64", "traefik_linux-arm64"},
	{"linkerd", regexp.MustCompile(`github\.com/linkerd/linkerd2/releases/download/[^\s/]*/linkerd2-cli-[^\s/]*-linux` + end), "amd64", "linkerd2-cli-VERSION-linux-arm64"},
	{"istio", regexp.MustCompile(`github\.com/istio/istio/releases/download/[^\s/]*/istio(?:ctl)?-[^\s/]*-linux\.tar\.gz` + end), "amd64", "istio-VERSION-linux-arm64.tar.gz"},
	{"calicoctl", regexp.MustCompile(`github\.com/projectcalico/calicoctl/releases/download/[^\s/]*/calicoctl` + end), "amd64", "calicoctl-linux-arm64"},
	{"snyk", regexp.MustCompile(`(?:static\.snyk\.io/cli/|github\.com/snyk/(?:snyk|cli)/releases/)[^\s]*/snyk-(?:linux|alpine)` + end), "amd64", "snyk-linux-arm64"},
	{"sonar-scanner", regexp.MustCompile(`binaries\.sonarsource\.com/[^\s]*/sonar-scanner-cli-[^\s/]*-linux\.zip` + end), "amd64", "sonar-scanner-cli-VERSION-linux-aarch64.zip (from 6.1 on)"},
	{"azcopy", regexp.MustCompile(`aka\.ms/downloadazcopy-v10-linux` + end), "amd64", "https://aka.ms/downloadazcopy-v10-linux-arm64"},
	{"bedrock-server", regexp.MustCompile(`[^\s]*/bin-linux/bedrock-server-[^\s/]*\.zip` + end), "amd64", ""},
	{"neovim", regexp.MustCompile(`github\.com/neovim/neovim/releases/[^\s]*/nvim(?:-linux)?\.(?:appimage|tar\.gz)` + end), "amd64", "nvim-linux-arm64.appimage"},
	{"yt-dlp", regexp.MustCompile(`github\.com/yt-dlp/yt-dlp/releases/[^\s]*/yt-dlp_linux` + end), "amd64", "yt-dlp_linux_aarch64"},
	{"ninja", regexp.MustCompile(`github\.com/ninja-build/ninja/releases/[^\s]*/ninja-linux\.zip` + end), "amd64", "ninja-linux-aarch64.zip (from 1.12 on)"},
	{"imagemagick", regexp.MustCompile(`imagemagick\.org/(?:archive/binaries|download/binaries)/magick` + end), "amd64", ""},
	{"fission", regexp.MustCompile(`github\.com/fission/fission/releases/download/[^\s/]*/fission-cli-linux` + end), "amd64", ""},
	{"envplate", regexp.MustCompile(`github\.com/kreuzwerker/envplate/releases/download/[^\s/]*/ep-linux` + end), "amd64", ""},
	{"jq", regexp.MustCompile(`(?:github\.com/stedolan/jq/releases/download/[^\s/]*|stedolan\.github\.io/jq/download/linux64)/jq` + end), "amd64", "jq-linux-arm64 (from 1.7 on)"},
	{"unityhub", regexp.MustCompile(`[^\s]*/UnityHub\.AppImage` + end), "amd64", ""},
}
