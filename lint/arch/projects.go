package arch

import (
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Project is somebody who offers files for several machines.
type Project struct {
	// Name as its users know it: "kubectl".
	Name string
	// Words say how its files call each architecture (Word.Arch), for those it has files for.
	Words  map[string]string
	scheme Scheme
}

// For is the project's word for a platform. It reports false when it has no such files.
func (p Project) For(on platform.Platform) (string, bool) {
	name, ok := p.Words[Key(on)]
	return name, ok
}

// knows tells whether a word is one of the project's own.
func (p Project) knows(w Word) bool {
	return strings.EqualFold(p.Words[w.Arch], w.Text)
}

// Lookup finds the project that offers the file at a URL. The URL may stand anywhere in
// the text, and hold variables.
func Lookup(url string) (Project, bool) {
	low := strings.ToLower(url)
	if !strings.Contains(low, ".") {
		return Project{}, false
	}
	for i := range projects {
		for _, place := range strings.Fields(projects[i].places) {
			if at := strings.Index(low, place); at >= 0 && (at == 0 || low[at-1] == '/' || low[at-1] == '.' || low[at-1] == '@') {
				return projects[i].project(), true
			}
		}
	}
	return Project{}, false
}

// row is a line of the table: what its URLs hold, and its words.
type row struct {
	name, places, words string
}

func (r row) project() Project {
	words := table(r.words)
	return Project{Name: r.name, Words: words, scheme: Scheme{Name: r.name, Words: words}}
}

// Names that many projects have.
const (
	goNames    = "amd64=amd64 386=386 arm64=arm64 arm/v7=arm arm/v6=arm ppc64le=ppc64le s390x=s390x"
	goFew      = "amd64=amd64 arm64=arm64"
	goArm      = "amd64=amd64 386=386 arm64=arm64 arm/v7=arm arm/v6=arm"
	goArmv     = "amd64=amd64 386=386 arm64=arm64 arm/v7=armv7 arm/v6=armv6"
	goServers  = "amd64=amd64 arm64=arm64 ppc64le=ppc64le s390x=s390x"
	unameFew   = "amd64=x86_64 arm64=aarch64"
	unameMost  = "amd64=x86_64 arm64=aarch64 ppc64le=ppc64le s390x=s390x"
	mixedFew   = "amd64=x86_64 arm64=arm64"
	mixedArm   = "amd64=x86_64 386=i386 arm64=arm64 arm/v7=armv7 arm/v6=armv6"
	debNames   = "amd64=amd64 386=i386 arm64=arm64 arm/v7=armhf arm/v5=armel ppc64le=ppc64el s390x=s390x riscv64=riscv64"
	nodeNames  = "amd64=x64 arm64=arm64 arm/v7=armv7l ppc64le=ppc64le s390x=s390x 386=x86"
	x64Few     = "amd64=x64 arm64=arm64"
	x64Arm     = "amd64=x64 arm64=arm64 arm/v7=arm"
	rustMusl   = "amd64=x86_64-unknown-linux-musl arm64=aarch64-unknown-linux-musl"
	rustGnu    = "amd64=x86_64-unknown-linux-gnu arm64=aarch64-unknown-linux-gnu"
	javaNames  = "amd64=x64 arm64=aarch64 arm/v7=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64"
	promNames  = "amd64=amd64 386=386 arm64=arm64 arm/v7=armv7 arm/v6=armv6 ppc64le=ppc64le s390x=s390x riscv64=riscv64"
	clangNames = "amd64=X64 arm64=AArch64"
)

// projects are well-known ones, from what their release pages offer. The more special
// place stands before the more general one.
var projects = []row{
	// Kubernetes and around it.
	{"kubectl", "dl.k8s.io/ cdn.dl.k8s.io/ storage.googleapis.com/kubernetes-release/ github.com/kubernetes/kubernetes/releases/", goNames},
	{"helm", "get.helm.sh/ storage.googleapis.com/kubernetes-helm/ kubernetes-helm.storage.googleapis.com/", goNames},
	{"kustomize", "github.com/kubernetes-sigs/kustomize/releases/", goServers},
	{"kind", "kind.sigs.k8s.io/dl/ github.com/kubernetes-sigs/kind/releases/", goFew},
	{"minikube", "storage.googleapis.com/minikube/ github.com/kubernetes/minikube/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x"},
	{"kops", "github.com/kubernetes/kops/releases/", goFew},
	{"crictl", "github.com/kubernetes-sigs/cri-tools/releases/", goNames},
	{"cni-plugins", "github.com/containernetworking/plugins/releases/ github.com/containernetworking/cni/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64 mips64le=mips64le"},
	{"etcd", "github.com/etcd-io/etcd/releases/ github.com/coreos/etcd/releases/ storage.googleapis.com/etcd/", goServers},
	{"skaffold", "storage.googleapis.com/skaffold/ github.com/googlecontainertools/skaffold/releases/", goFew},
	{"k9s", "github.com/derailed/k9s/releases/", goServers},
	{"stern", "github.com/stern/stern/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	{"kubeseal", "github.com/bitnami-labs/sealed-secrets/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	{"argocd", "github.com/argoproj/argo-cd/releases/", goServers},
	{"argo", "github.com/argoproj/argo-workflows/releases/ github.com/argoproj/argo/releases/", goServers},
	{"flux", "github.com/fluxcd/flux2/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	{"velero", "github.com/vmware-tanzu/velero/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x"},
	{"istio", "github.com/istio/istio/releases/", "amd64=amd64 arm64=arm64 arm/v7=armv7"},
	{"cilium", "github.com/cilium/", goFew},
	{"k3s", "github.com/k3s-io/k3s/releases/ github.com/rancher/k3s/releases/", "arm64=arm64 arm/v7=armhf"},
	{"kompose", "github.com/kubernetes/kompose/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	{"kubeconform", "github.com/yannh/kubeconform/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v6=armv6"},
	{"eksctl", "github.com/weaveworks/eksctl/releases/ github.com/eksctl-io/eksctl/releases/", "amd64=amd64 arm64=arm64 arm/v7=armv7 arm/v6=armv6"},
	{"aws-iam-authenticator", "github.com/kubernetes-sigs/aws-iam-authenticator/releases/", goServers},
	{"helmfile", "github.com/helmfile/helmfile/releases/ github.com/roboll/helmfile/releases/", "amd64=amd64 386=386 arm64=arm64"},
	{"operator-sdk", "github.com/operator-framework/operator-sdk/releases/", goServers},
	{"openshift-client", "mirror.openshift.com/ github.com/openshift/okd/releases/", "arm64=arm64 ppc64le=ppc64le s390x=s390x amd64=amd64"},
	{"tkn", "github.com/tektoncd/cli/releases/", "amd64=x86_64 arm64=aarch64 386=i386 ppc64le=ppc64le s390x=s390x"},
	{"grpc-health-probe", "github.com/grpc-ecosystem/grpc-health-probe/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x"},
	{"faas-cli", "github.com/openfaas/", "arm64=arm64 arm/v7=armhf amd64=amd64"},
	{"linkerd", "github.com/linkerd/linkerd2/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	// Containers.
	{"docker", "download.docker.com/linux/static/ get.docker.com/builds/", "amd64=x86_64 arm64=aarch64 arm/v7=armhf arm/v6=armel ppc64le=ppc64le s390x=s390x"},
	{"docker packages", "download.docker.com/linux/debian download.docker.com/linux/ubuntu download.docker.com/linux/raspbian", debNames},
	{"docker-compose", "github.com/docker/compose/releases/", "amd64=x86_64 arm64=aarch64 arm/v7=armv7 arm/v6=armv6 ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"buildx", "github.com/docker/buildx/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm-v7 arm/v6=arm-v6 ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"buildkit", "github.com/moby/buildkit/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm-v7 ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"containerd", "github.com/containerd/containerd/releases/ github.com/containerd/nerdctl/releases/", goServers},
	{"runc", "github.com/opencontainers/runc/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armhf arm/v5=armel ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"docker-machine", "github.com/docker/machine/releases/", unameFew},
	{"crane", "github.com/google/go-containerregistry/releases/", mixedArm},
	{"dive", "github.com/wagoodman/dive/releases/", "amd64=amd64 arm64=arm64"},
	{"tini", "github.com/krallin/tini/releases/", "amd64=amd64 386=i386 arm64=arm64 arm/v7=armhf arm/v5=armel ppc64le=ppc64le s390x=s390x riscv64=riscv64 mips64le=mips64el"},
	{"gosu", "github.com/tianon/gosu/releases/", debNames + " mips64le=mips64el loong64=loong64"},
	{"dumb-init", "github.com/yelp/dumb-init/releases/", "amd64=x86_64 arm64=aarch64 ppc64le=ppc64le s390x=s390x"},
	{"s6-overlay", "github.com/just-containers/s6-overlay/releases/", "amd64=x86_64 386=i686 arm64=aarch64 arm/v7=armhf arm/v6=arm ppc64le=powerpc64le s390x=s390x riscv64=riscv64"},
	{"su-exec", "github.com/javabean/su-exec/releases/", "amd64=amd64"},
	{"dockerize", "github.com/jwilder/dockerize/releases/ github.com/powerman/dockerize/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armhf arm/v6=armhf ppc64le=ppc64le s390x=s390x"},
	{"forego", "github.com/jwilder/forego/releases/ github.com/nginx-proxy/forego/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm"},
	{"docker-gen", "github.com/jwilder/docker-gen/releases/ github.com/nginx-proxy/docker-gen/releases/", "amd64=amd64 386=i386 arm64=arm64 arm/v7=armhf arm/v5=armel"},
	{"confd", "github.com/kelseyhightower/confd/releases/", goFew},
	{"supercronic", "github.com/aptible/supercronic/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm"},
	{"gomplate", "github.com/hairyhenderson/gomplate/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armv7 arm/v6=armv6"},
	{"trivy", "github.com/aquasecurity/trivy/releases/", "amd64=64bit 386=32bit arm64=ARM64 arm/v7=ARM ppc64le=PPC64LE s390x=s390x"},
	{"grype, syft", "github.com/anchore/", "amd64=amd64 arm64=arm64 ppc64le=ppc64le s390x=s390x"},
	{"hadolint", "github.com/hadolint/hadolint/releases/", mixedFew},
	{"cosign", "github.com/sigstore/cosign/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm ppc64le=pivkey-ppc64le s390x=s390x riscv64=riscv64"},
	{"oras", "github.com/oras-project/oras/releases/", "amd64=amd64 arm64=arm64 arm/v7=armv7 ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"slim", "downloads.dockerslim.com/ github.com/slimtoolkit/slim/releases/", "arm64=arm64 arm/v7=arm"},
	{"pack", "github.com/buildpacks/pack/releases/", "arm64=arm64 ppc64le=ppc64le s390x=s390x"},
	{"fuse-overlayfs", "github.com/containers/fuse-overlayfs/releases/", "amd64=x86_64 arm64=aarch64 arm/v7=armv7l ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	// Languages.
	{"go", "go.dev/dl/ golang.org/dl/ dl.google.com/go/ storage.googleapis.com/golang/ redirector.gvt1.com/edgedl/go/ golang.google.cn/dl/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armv6l arm/v6=armv6l ppc64le=ppc64le s390x=s390x riscv64=riscv64 loong64=loong64 mips64le=mips64le"},
	{"node", "nodejs.org/ unofficial-builds.nodejs.org/ npmmirror.com/mirrors/node/ npm.taobao.org/mirrors/node/", nodeNames},
	{"rustup", "static.rust-lang.org/rustup/", "amd64=x86_64-unknown-linux-gnu arm64=aarch64-unknown-linux-gnu arm/v7=armv7-unknown-linux-gnueabihf 386=i686-unknown-linux-gnu ppc64le=powerpc64le-unknown-linux-gnu s390x=s390x-unknown-linux-gnu riscv64=riscv64gc-unknown-linux-gnu"},
	{"deno", "github.com/denoland/deno/releases/", rustGnu},
	{"bun", "github.com/oven-sh/bun/releases/", "amd64=x64 arm64=aarch64"},
	{"pnpm", "github.com/pnpm/pnpm/releases/", x64Few},
	{"dotnet", "dotnetcli.azureedge.net/ dotnetcli.blob.core.windows.net/ builds.dotnet.microsoft.com/ download.visualstudio.microsoft.com/", x64Arm},
	{"powershell", "github.com/powershell/powershell/releases/", "amd64=x64 arm64=arm64 arm/v7=arm32"},
	{"temurin", "github.com/adoptium/ api.adoptium.net/ api.adoptopenjdk.net/ github.com/adoptopenjdk/", javaNames},
	{"corretto", "corretto.aws/", "amd64=x64 arm64=aarch64 arm/v7=armv7"},
	{"zulu", "cdn.azul.com/", "amd64=x64 arm64=aarch64 386=i686"},
	{"openjdk", "download.java.net/ download.oracle.com/java/", "amd64=x64 arm64=aarch64"},
	{"oracle-jdk", "download.oracle.com/otn-pub/java/ download.oracle.com/otn/java/", "amd64=x64 386=i586 arm64=aarch64"},
	{"graalvm", "github.com/graalvm/", "amd64=amd64 arm64=aarch64"},
	{"julia", "julialang-s3.julialang.org/", "amd64=x86_64 386=i686 arm64=aarch64 arm/v7=armv7l ppc64le=ppc64le"},
	{"swift", "download.swift.org/ swift.org/builds/", "arm64=aarch64"},
	{"dart", "storage.googleapis.com/dart-archive/", "amd64=x64 386=ia32 arm64=arm64 arm/v7=arm riscv64=riscv64"},
	{"zig", "ziglang.org/", "amd64=x86_64 386=x86 arm64=aarch64 arm/v7=armv7a riscv64=riscv64 ppc64le=powerpc64le"},
	{"miniconda", "repo.anaconda.com/ repo.continuum.io/", "amd64=x86_64 386=x86 arm64=aarch64 ppc64le=ppc64le s390x=s390x"},
	{"miniforge", "github.com/conda-forge/miniforge/releases/", "amd64=x86_64 arm64=aarch64 ppc64le=ppc64le"},
	{"micromamba", "micro.mamba.pm/ github.com/mamba-org/micromamba-releases/ anaconda.org/conda-forge/micromamba/", "amd64=linux-64 arm64=linux-aarch64 ppc64le=linux-ppc64le"},
	{"uv, ruff", "github.com/astral-sh/", "amd64=x86_64-unknown-linux-gnu arm64=aarch64-unknown-linux-gnu arm/v7=armv7-unknown-linux-gnueabihf"},
	{"stack", "get.haskellstack.org/ github.com/commercialhaskell/stack/releases/", unameFew},
	{"ghcup", "downloads.haskell.org/", unameFew},
	{"tinygo", "github.com/tinygo-org/tinygo/releases/", "amd64=amd64 arm64=arm64 arm/v7=armhf arm/v6=armhf"},
	{"babashka", "github.com/babashka/babashka/releases/", "amd64=amd64 arm64=aarch64"},
	// Building, checking.
	{"cmake", "cmake.org/ github.com/kitware/cmake/releases/", "amd64=x86_64 arm64=aarch64"},
	{"ninja", "github.com/ninja-build/ninja/releases/", "arm64=linux-aarch64"},
	{"bazel", "github.com/bazelbuild/bazel/releases/", "amd64=x86_64 arm64=arm64"},
	{"bazelisk", "github.com/bazelbuild/", goFew},
	{"protoc", "github.com/protocolbuffers/protobuf/releases/ github.com/google/protobuf/releases/", "amd64=x86_64 386=x86_32 arm64=aarch_64 ppc64le=ppcle_64 s390x=s390_64"},
	{"buf", "github.com/bufbuild/buf/releases/", "amd64=x86_64 arm64=aarch64 arm/v7=armv7 ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"grpcurl", "github.com/fullstorydev/grpcurl/releases/", "amd64=x86_64 386=x86_32 arm64=arm64 ppc64le=ppc64le s390x=s390x"},
	{"golangci-lint", "github.com/golangci/golangci-lint/releases/", promNames},
	{"goreleaser", "github.com/goreleaser/", "amd64=x86_64 386=i386 arm64=arm64 arm/v7=armv7 ppc64le=ppc64le"},
	{"ko", "github.com/ko-build/ko/releases/ github.com/google/ko/releases/", "amd64=x86_64 386=i386 arm64=arm64 ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"shellcheck", "github.com/koalaman/shellcheck/releases/ storage.googleapis.com/shellcheck/", "amd64=x86_64 arm64=aarch64 arm/v7=armv6hf arm/v6=armv6hf riscv64=riscv64"},
	{"shfmt", "github.com/mvdan/sh/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm"},
	{"actionlint", "github.com/rhysd/actionlint/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v6=armv6"},
	{"sccache", "github.com/mozilla/sccache/releases/", "amd64=x86_64-unknown-linux-musl arm64=aarch64-unknown-linux-musl arm/v7=armv7-unknown-linux-musleabi"},
	{"upx", "github.com/upx/upx/releases/", "amd64=amd64 386=i386 arm64=arm64 arm/v7=arm arm/v5=armeb ppc64le=powerpc64le"},
	{"sonar-scanner", "binaries.sonarsource.com/", "amd64=x64 arm64=aarch64"},
	{"snyk", "static.snyk.io/ github.com/snyk/", "arm64=arm64"},
	{"codecov", "uploader.codecov.io/ cli.codecov.io/", "arm64=arm64"},
	{"sentry-cli", "github.com/getsentry/sentry-cli/releases/ downloads.sentry-cdn.com/", "amd64=x86_64 386=i686 arm64=aarch64 arm/v7=armv7"},
	{"reviewdog", "github.com/reviewdog/", mixedArm},
	// Infrastructure.
	{"hashicorp", "releases.hashicorp.com/", goArm},
	{"terragrunt", "github.com/gruntwork-io/terragrunt/releases/", "amd64=amd64 386=386 arm64=arm64"},
	{"tflint", "github.com/terraform-linters/tflint/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm"},
	{"tofu", "github.com/opentofu/opentofu/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm"},
	{"terraform-docs", "github.com/terraform-docs/terraform-docs/releases/ terraform-docs.io/dl/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	{"packer plugins", "github.com/hashicorp/", goArm},
	{"pulumi", "get.pulumi.com/releases/ github.com/pulumi/pulumi/releases/", "amd64=x64 arm64=arm64"},
	{"aws-cli", "awscli.amazonaws.com/", unameFew},
	{"session-manager-plugin", "s3.amazonaws.com/session-manager-downloads/", "amd64=64bit arm64=arm64 386=32bit"},
	{"ecs-cli", "amazon-ecs-cli.s3.amazonaws.com/ s3.amazonaws.com/amazon-ecs-cli/", goFew},
	{"sam", "github.com/aws/aws-sam-cli/releases/", "amd64=x86_64 arm64=arm64"},
	{"eks tools", "amazon-eks.s3", goFew},
	{"cloud-sdk", "dl.google.com/dl/cloudsdk/ storage.googleapis.com/cloud-sdk-release/", "amd64=x86_64 386=x86 arm64=arm"},
	{"cloud-sql-proxy", "storage.googleapis.com/cloudsql-proxy/ storage.googleapis.com/cloud-sql-connectors/ dl.google.com/cloudsql/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm"},
	{"doctl", "github.com/digitalocean/doctl/releases/", "amd64=amd64 386=386 arm64=arm64"},
	{"gh", "github.com/cli/cli/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v6=armv6 arm/v7=armv6"},
	{"glab", "gitlab.com/gitlab-org/cli/", goArmv},
	{"gitlab-runner", "gitlab-runner-downloads.s3.amazonaws.com/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"actions-runner", "github.com/actions/runner/releases/", x64Arm},
	{"azure-pipelines-agent", "vstsagentpackage.azureedge.net/", x64Arm},
	{"azcopy", "azcopyvnext.azureedge.net/ azcopyvnext-awgzd8g7aagqhzhe.b02.azurefd.net/", goFew},
	{"vscode", "update.code.visualstudio.com/ code.visualstudio.com/", "amd64=x64 arm64=arm64 arm/v7=armhf"},
	{"code-server", "github.com/coder/code-server/releases/ github.com/cdr/code-server/releases/", "amd64=amd64 arm64=arm64 arm/v7=armv7l"},
	{"openvscode-server", "github.com/gitpod-io/openvscode-server/releases/", "amd64=x64 arm64=arm64 arm/v7=armhf"},
	{"sops", "github.com/mozilla/sops/releases/ github.com/getsops/sops/releases/", goFew},
	{"age", "github.com/filosottile/age/releases/", "amd64=amd64 arm64=arm64 arm/v6=arm arm/v7=arm"},
	{"step", "github.com/smallstep/ dl.smallstep.com/ dl.step.sm/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armv7 arm/v6=armv6"},
	{"opa", "openpolicyagent.org/downloads/ github.com/open-policy-agent/opa/releases/", goFew},
	{"conftest", "github.com/open-policy-agent/conftest/releases/", "amd64=x86_64 arm64=arm64 ppc64le=ppc64le s390x=s390x"},
	{"tailscale", "pkgs.tailscale.com/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm riscv64=riscv64"},
	{"cloudflared", "github.com/cloudflare/cloudflared/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armhf arm/v6=arm"},
	{"ngrok", "bin.equinox.io/c/", goArm},
	{"rclone", "downloads.rclone.org/ github.com/rclone/rclone/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm-v7 arm/v6=arm-v6"},
	{"restic", "github.com/restic/restic/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"minio", "dl.min.io/ dl.minio.io/", goServers},
	{"websocat", "github.com/vi/websocat/releases/", "amd64=x86_64-unknown-linux-musl arm64=aarch64-unknown-linux-musl"},
	// Services.
	{"prometheus", "github.com/prometheus/ github.com/prometheus-community/", promNames},
	{"grafana", "dl.grafana.com/", "amd64=amd64 arm64=arm64 arm/v7=armv7 arm/v6=armv6"},
	{"loki", "github.com/grafana/loki/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	{"k6", "github.com/grafana/k6/releases/ github.com/loadimpact/k6/releases/", goFew},
	{"influxdb", "dl.influxdata.com/", "amd64=amd64 arm64=arm64 arm/v7=armhf 386=i386"},
	{"telegraf", "dl.influxdata.com/telegraf/", "amd64=amd64 arm64=arm64 arm/v7=armhf 386=i386"},
	{"elastic", "artifacts.elastic.co/", unameFew},
	{"vector", "packages.timber.io/vector/ github.com/vectordotdev/vector/releases/", "amd64=x86_64 arm64=aarch64 arm/v7=armv7"},
	{"otel", "github.com/open-telemetry/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armv7 ppc64le=ppc64le s390x=s390x"},
	{"jaeger", "github.com/jaegertracing/jaeger/releases/", goServers},
	{"traefik", "github.com/traefik/traefik/releases/ github.com/containous/traefik/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armv7 arm/v6=armv6 ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"caddy", "github.com/caddyserver/caddy/releases/ caddyserver.com/", "amd64=amd64 arm64=arm64 arm/v7=armv7 arm/v6=armv6 ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"consul-template", "github.com/hashicorp/consul-template/", goArm},
	{"mongodb", "fastdl.mongodb.org/", "amd64=x86_64 arm64=aarch64"},
	{"mongodb tools", "fastdl.mongodb.org/tools/", "amd64=x86_64 arm64=arm64"},
	{"cockroach", "binaries.cockroachdb.com/", goFew},
	{"nats", "github.com/nats-io/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm7 arm/v6=arm6"},
	{"migrate", "github.com/golang-migrate/migrate/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armv7"},
	{"dbmate", "github.com/amacneil/dbmate/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm"},
	{"oauth2-proxy", "github.com/oauth2-proxy/oauth2-proxy/releases/", "amd64=amd64 arm64=arm64 arm/v7=armv7 arm/v6=armv6 ppc64le=ppc64le s390x=s390x"},
	{"syncthing", "github.com/syncthing/syncthing/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"frp", "github.com/fatedier/frp/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm riscv64=riscv64"},
	{"xray, v2ray", "github.com/xtls/xray-core/releases/ github.com/v2fly/v2ray-core/releases/ github.com/v2ray/v2ray-core/releases/", "amd64=64 386=32 arm64=arm64-v8a arm/v7=arm32-v7a s390x=s390x riscv64=riscv64"},
	{"webhook", "github.com/adnanh/webhook/releases/", goArm},
	{"mailhog", "github.com/mailhog/", goArm},
	{"lego", "github.com/go-acme/lego/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=armv7 arm/v6=armv6"},
	{"mkcert", "github.com/filosottile/mkcert/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	// Tools.
	{"yq", "github.com/mikefarah/yq/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm ppc64le=ppc64le s390x=s390x riscv64=riscv64"},
	{"jq", "github.com/jqlang/jq/releases/ github.com/stedolan/jq/releases/", "amd64=amd64 386=i386 arm64=arm64 arm/v7=armhf ppc64le=ppc64el s390x=s390x riscv64=riscv64"},
	{"hugo", "github.com/gohugoio/hugo/releases/ github.com/spf13/hugo/releases/", "amd64=amd64 arm64=arm64"},
	{"ripgrep, fd, bat", "github.com/burntsushi/ github.com/sharkdp/", "amd64=x86_64-unknown-linux-musl arm64=aarch64-unknown-linux-gnu arm/v7=armv7-unknown-linux-musleabihf 386=i686-unknown-linux-gnu"},
	{"just", "github.com/casey/just/releases/", "amd64=x86_64-unknown-linux-musl arm64=aarch64-unknown-linux-musl arm/v7=armv7-unknown-linux-musleabihf"},
	{"fzf", "github.com/junegunn/fzf/releases/ github.com/junegunn/fzf-bin/releases/", "amd64=amd64 arm64=arm64 arm/v7=armv7 arm/v6=armv6 ppc64le=ppc64le s390x=s390x"},
	{"task", "github.com/go-task/task/releases/", "amd64=amd64 386=386 arm64=arm64 arm/v7=arm riscv64=riscv64"},
	{"lazygit", "github.com/jesseduffield/", "amd64=x86_64 386=32-bit arm64=arm64 arm/v6=armv6"},
	{"delta, hyperfine", "github.com/dandavison/", "amd64=x86_64-unknown-linux-gnu arm64=aarch64-unknown-linux-gnu"},
	{"neovim", "github.com/neovim/neovim/releases/", mixedFew},
	{"vale", "github.com/errata-ai/vale/releases/", "amd64=64-bit 386=386 arm64=arm64"},
	{"pandoc", "github.com/jgm/pandoc/releases/", goFew},
	{"quarto", "github.com/quarto-dev/quarto-cli/releases/", goFew},
	{"mdbook", "github.com/rust-lang/mdbook/releases/", "amd64=x86_64-unknown-linux-gnu arm64=aarch64-unknown-linux-musl"},
	{"geckodriver", "github.com/mozilla/geckodriver/releases/", "amd64=linux64 386=linux32 arm64=linux-aarch64"},
	{"wkhtmltopdf", "github.com/wkhtmltopdf/", "amd64=amd64 386=i386 arm64=arm64 ppc64le=ppc64el"},
	{"watchexec", "github.com/watchexec/watchexec/releases/", "amd64=x86_64-unknown-linux-gnu arm64=aarch64-unknown-linux-gnu arm/v7=armv7-unknown-linux-gnueabihf"},
	{"tailwindcss", "github.com/tailwindlabs/tailwindcss/releases/", "amd64=x64 arm64=arm64 arm/v7=armv7"},
	{"yt-dlp", "github.com/yt-dlp/yt-dlp/releases/", "arm64=aarch64 arm/v7=armv7l"},
	{"ffmpeg static", "johnvansickle.com/ffmpeg/", "amd64=amd64 386=i686 arm64=arm64 arm/v7=armhf arm/v5=armel"},
	{"gitleaks", "github.com/gitleaks/gitleaks/releases/ github.com/zricethezav/gitleaks/releases/", "amd64=x64 386=x32 arm64=arm64 arm/v7=armv7 arm/v6=armv6"},
	{"docker-compose-wait", "github.com/ufoscout/docker-compose-wait/releases/", "arm64=aarch64 arm/v7=armv7"},
	{"instantclient", "download.oracle.com/otn_software/linux/instantclient/", "amd64=x64 arm64=arm64"},
	{"drone", "github.com/drone/drone-cli/releases/ github.com/harness/drone-cli/releases/", "amd64=amd64 arm64=arm64 arm/v7=arm"},
	{"nvidia-container", "nvidia.github.io/", debNames},
	{"cuda", "developer.download.nvidia.com/compute/cuda/repos/", "amd64=x86_64 arm64=sbsa"},
	{"clang-tools", "github.com/llvm/llvm-project/releases/", clangNames},
	{"zellij", "github.com/zellij-org/zellij/releases/", rustMusl},
	{"act", "github.com/nektos/act/releases/", mixedArm},
	{"typst", "github.com/typst/typst/releases/", "amd64=x86_64-unknown-linux-musl arm64=aarch64-unknown-linux-musl arm/v7=armv7-unknown-linux-musleabi"},
	{"chezmoi", "github.com/twpayne/chezmoi/releases/", "amd64=amd64 386=i386 arm64=arm64 arm/v7=arm"},
}
