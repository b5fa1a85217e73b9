package archbuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

func TestFlagsBecomeWhatTheFrontendReads(t *testing.T) {
	for _, row := range []struct {
		name  string
		flags BuildFlags
		want  map[string]string
		allow []string
	}{
		{"nothing said is nothing told", BuildFlags{Network: "default"}, map[string]string{}, nil},
		{"the host's network is its own leave", BuildFlags{Network: "host"}, map[string]string{"force-network-mode": "host"}, []string{"network.host"}},
		{"no network", BuildFlags{Network: "none"}, map[string]string{"force-network-mode": "none"}, nil},
		{"hosts in every form", BuildFlags{AddHosts: []string{"a:10.0.0.1", "b=10.0.0.2", "c=[::1]", "d:::1"}}, map[string]string{"add-hosts": "a=10.0.0.1,b=10.0.0.2,c=::1,d=::1"}, nil},
		{"a size with a unit", BuildFlags{ShmSize: "64m"}, map[string]string{"shm-size": "67108864"}, nil},
		{"limits by name, the last one counts", BuildFlags{Ulimits: []string{"nofile=1:2", "core=0", "nofile=1024:2048"}}, map[string]string{"ulimit": "core=0:0,nofile=1024:2048"}, nil},
		{"a cgroup", BuildFlags{CgroupParent: "/builds"}, map[string]string{"cgroup-parent": "/builds"}, nil},
		{"stages", BuildFlags{NoCacheFilter: []string{"a,b", "c"}}, map[string]string{"no-cache": "a,b,c"}, nil},
		{"resources", BuildFlags{Resources: []string{"memory=2g", "memory-swap=-1", "cpu-quota=50000", "cpuset-cpus=0-1"}}, map[string]string{"memory": "2147483648", "memswap": "-1", "cpuquota": "50000", "cpusetcpus": "0-1"}, nil},
		{"privileges", BuildFlags{Allow: []string{"security.insecure", "network.host", "device=vendor.com/device=x", "buildx.local.delete"}}, map[string]string{}, []string{"security.insecure", "network.host", "device=vendor.com/device=x"}},
	} {
		attrs, allow, err := row.flags.frontend(false)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if diff := cmp.Diff(row.want, attrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
		if diff := cmp.Diff(row.allow, allow); diff != "" {
			t.Errorf("%s: privileges (-want +got):\n%s", row.name, diff)
		}
	}
}

func TestWrongFlagsOfBuildxAreRefusedWithAHint(t *testing.T) {
	for name, opts := range map[string]Options{
		"a network that BuildKit has not":    {BuildFlags: BuildFlags{Network: "bridge"}},
		"a host without an address":          {BuildFlags: BuildFlags{AddHosts: []string{"mirror"}}},
		"a host with a name for an address":  {BuildFlags: BuildFlags{AddHosts: []string{"mirror:localhost"}}},
		"the gateway":                        {BuildFlags: BuildFlags{AddHosts: []string{"mirror:host-gateway"}}},
		"a size that is none":                {BuildFlags: BuildFlags{ShmSize: "big"}},
		"an unknown limit":                   {BuildFlags: BuildFlags{Ulimits: []string{"files=1"}}},
		"a limit upside down":                {BuildFlags: BuildFlags{Ulimits: []string{"nofile=2:1"}}},
		"an unknown privilege":               {BuildFlags: BuildFlags{Allow: []string{"root"}}},
		"an unknown resource":                {BuildFlags: BuildFlags{Resources: []string{"disk=1g"}}},
		"a resource without an amount":       {BuildFlags: BuildFlags{Resources: []string{"memory=lots"}}},
		"all stages and some":                {NoCache: true, BuildFlags: BuildFlags{NoCacheFilter: []string{"a"}}},
		"an unknown attestation":             {BuildFlags: BuildFlags{Attests: []string{"type=vibes"}}},
		"an attestation without a type":      {BuildFlags: BuildFlags{Attests: []string{"mode=max"}}},
		"a scanner that is no image":         {BuildFlags: BuildFlags{SBOM: "generator=No Image"}},
		"provenance in words":                {Provenance: "yes please"},
		"provenance with an unknown word":    {Provenance: "color=red"},
		"provenance in an unknown mode":      {Provenance: "mode=some"},
		"a cache without a type":             {BuildFlags: BuildFlags{CacheFrom: []string{"ref=a"}}},
		"a cache of an unknown type":         {BuildFlags: BuildFlags{CacheTo: []string{"type=s3,bucket=b"}}},
		"an inline cache to read":            {BuildFlags: BuildFlags{CacheFrom: []string{"type=inline"}}},
		"a local cache without a folder":     {BuildFlags: BuildFlags{CacheTo: []string{"type=local,src=x"}}},
		"a local cache that is a file":       {BuildFlags: BuildFlags{CacheTo: []string{"type=local,dest=args.go"}}},
		"a registry cache without a name":    {BuildFlags: BuildFlags{CacheTo: []string{"type=registry"}}},
		"a cache to write by digest":         {BuildFlags: BuildFlags{CacheTo: []string{"a@sha256:0000000000000000000000000000000000000000000000000000000000000000"}}},
		"a cache of both kinds, inline":      {BuildFlags: BuildFlags{Cache: []string{"type=inline"}}},
		"a cache that is written twice":      {BuildFlags: BuildFlags{Cache: []string{"a/b"}, CacheTo: []string{"type=registry,ref=a/b"}}},
		"a cache in two folders":             {BuildFlags: BuildFlags{Cache: []string{"type=local,src=a,dest=b"}}},
		"a cache in a file":                  {BuildFlags: BuildFlags{Cache: []string{"./args.go"}}},
		"a cache with an unknown mode":       {BuildFlags: BuildFlags{CacheTo: []string{"type=registry,ref=a,mode=most"}}},
		"a cache with a word for a truth":    {BuildFlags: BuildFlags{CacheTo: []string{"type=registry,ref=a,ignore-error=maybe"}}},
		"an unknown call":                    {BuildFlags: BuildFlags{Call: "phone"}},
		"a call in an unknown format":        {BuildFlags: BuildFlags{Call: "check,format=xml"}},
		"a node and a builder":               {Nodes: []string{"unix:///x"}, BuildFlags: BuildFlags{Builder: "b"}},
		"one cache folder for two folders":   {Paths: []string{"a", "b"}, BuildFlags: BuildFlags{CacheTo: []string{"type=local,dest=c"}}},
		"one cache repository for two paths": {Paths: []string{"a", "b"}, BuildFlags: BuildFlags{CacheTo: []string{"reg.example/c"}}},
	} {
		_, err := opts.check()
		if opts.Call != "" {
			_, err = opts.parseCall()
		}
		if opts.Builder != "" {
			_, err = opts.specs()
		}
		usage := new(wrong.Usage)
		if !errors.As(err, &usage) || usage.Hint() == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, hint %q", name, err, wrong.Hint(err))
		}
	}
}

func TestAttestationsAreOffUnlessAsked(t *testing.T) {
	for _, row := range []struct {
		name             string
		opts             Options
		provenance, sbom string
	}{
		{"by itself", Options{}, "", ""},
		{"switched off", Options{Provenance: "false", BuildFlags: BuildFlags{SBOM: "false"}}, "", ""},
		{"true is all", Options{Provenance: "true"}, "mode=max", ""},
		{"short words", Options{Provenance: "min"}, "mode=min", ""},
		{"as buildx has it", Options{Provenance: "mode=max,reproducible=true"}, "mode=max,reproducible=true", ""},
		{"disabled", Options{Provenance: "disabled=true"}, "", ""},
		{"the long form is the short one", Options{BuildFlags: BuildFlags{Attests: []string{"type=provenance,mode=min", "type=sbom"}}}, "mode=min", "generator=" + defaultScanner},
		{"the long form comes first", Options{Provenance: "mode=max", BuildFlags: BuildFlags{Attests: []string{"type=provenance,disabled=true"}}}, "", ""},
		{"another scanner, with words for it", Options{BuildFlags: BuildFlags{SBOM: "generator=reg.example/scan:1,EXTRA=a"}}, "", "generator=reg.example/scan:1,EXTRA=a"},
		{"a word with a comma", Options{BuildFlags: BuildFlags{Attests: []string{`type=sbom,"EXTRA=a,b"`}}}, "", `generator=` + defaultScanner + `,"EXTRA=a,b"`},
	} {
		provenance, sbom, err := row.opts.attestations()
		if err != nil || provenance != row.provenance {
			t.Errorf("%s: provenance %q, %v", row.name, provenance, err)
		}
		if sbom == nil && row.sbom != "" || sbom != nil && sbom.attr() != row.sbom {
			t.Errorf("%s: sbom %+v, want %q", row.name, sbom, row.sbom)
		}
	}
}

func TestCachesAreReadAsBuildxReadsThem(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{System: outside.System{Environ: []string{"ACTIONS_RUNTIME_TOKEN=t", "ACTIONS_CACHE_URL=https://u"}}, BuildFlags: BuildFlags{
		CacheFrom: []string{"a/b:c", "x,y", "", "type=local,src=somewhere,TAG=t", "type=registry,ref=r", "type=gha"},
		CacheTo:   []string{"type=inline", "type=local,dest=there,mode=max"},
	}, BuildArgs: []string{"BUILDKIT_INLINE_CACHE=1"}}
	r, err := opts.check()
	if err != nil {
		t.Fatal(err)
	}
	registry := func(ref string) builder.Cache {
		return builder.Cache{Type: "registry", Attrs: map[string]string{"ref": ref}}
	}
	want := []builder.Cache{
		registry("a/b:c"), registry("x"), registry("y"),
		{Type: "local", Attrs: map[string]string{"src": filepath.Join(here, "somewhere"), "tag": "t"}},
		registry("r"), {Type: "gha", Attrs: map[string]string{"token": "t", "url": "https://u"}},
	}
	if diff := cmp.Diff(want, r.cacheFrom); diff != "" {
		t.Errorf("--cache-from (-want +got):\n%s", diff)
	}
	want = []builder.Cache{
		{Type: "inline", Attrs: map[string]string{}}, {Type: "local", Attrs: map[string]string{"dest": filepath.Join(here, "there"), "mode": "max"}},
		{Type: "inline", Attrs: map[string]string{}},
	}
	if diff := cmp.Diff(want, r.cacheTo); diff != "" {
		t.Errorf("--cache-to (-want +got):\n%s", diff)
	}
}

func TestOneFlagIsBothForCaches(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(here, "kept")
	for text, want := range map[string]struct{ from, to map[string]string }{
		"a/b:c":                        {map[string]string{"ref": "a/b:c"}, map[string]string{"ref": "a/b:c", "mode": "max"}},
		"type=registry,ref=r,mode=min": {map[string]string{"ref": "r"}, map[string]string{"ref": "r", "mode": "min"}},
		"type=registry,ref=r,registry.insecure=true,ignore-error=true": {
			map[string]string{"ref": "r", "registry.insecure": "true"}, map[string]string{"ref": "r", "registry.insecure": "true", "ignore-error": "true", "mode": "max"},
		},
		"./kept":                    {map[string]string{"src": kept}, map[string]string{"dest": kept, "mode": "max"}},
		kept:                        {map[string]string{"src": kept}, map[string]string{"dest": kept, "mode": "max"}},
		"type=local,src=kept,tag=x": {map[string]string{"src": kept, "tag": "x"}, map[string]string{"dest": kept, "tag": "x", "mode": "max"}},
		"type=local,dest=kept,reset=true": {
			map[string]string{"src": kept}, map[string]string{"dest": kept, "reset": "true", "mode": "max"},
		},
	} {
		r, err := Options{BuildFlags: BuildFlags{Cache: []string{text}}}.check()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.from, r.cacheFrom[0].Attrs); diff != "" {
			t.Errorf("%s is read (-want +got):\n%s", text, diff)
		}
		if diff := cmp.Diff(want.to, r.cacheTo[0].Attrs); diff != "" {
			t.Errorf("%s is written (-want +got):\n%s", text, diff)
		}
		if doubts := r.cacheDoubts(); len(doubts) > 0 {
			t.Errorf("%s: %q", text, doubts)
		}
	}
}

func TestKeysOfCachesThatMeanNothingAreNamed(t *testing.T) {
	r, err := Options{BuildFlags: BuildFlags{
		CacheFrom: []string{"type=local,src=a,tagg=t"}, CacheTo: []string{"type=registry,ref=r,ignore-errors=true", "type=inline,mode=max"}, Cache: []string{"type=registry,ref=x,weight=3"},
	}}.check()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"--cache-from type=local: BuildKit knows no tagg there; did you mean tag?",
		"--cache-to type=registry: BuildKit knows no ignore-errors there; did you mean ignore-error?",
		"--cache-to type=registry: BuildKit knows no weight there",
	}
	if diff := cmp.Diff(want, r.cacheDoubts()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestStepsThatPlatformsShareCountOnce(t *testing.T) {
	ran := func(steps ...string) Built {
		b := Built{ran: map[digest.Digest]bool{}}
		for _, step := range steps {
			name, hit := strings.CutSuffix(step, " cached")
			b.ran[digest.FromString(name)] = hit
		}
		return b
	}
	for name, row := range map[string]struct {
		platforms []Built
		want      string
	}{
		"a step that one platform ran is none that the cache had": {[]Built{ran("fetch", "a"), ran("fetch cached", "b cached")}, "cache: 1 of 3 steps (33 %), those in common counted once"},
		"in whatever order":      {[]Built{ran("fetch cached", "a"), ran("fetch", "b")}, "cache: 0 of 3 steps (0 %), those in common counted once"},
		"all of them":            {[]Built{ran("a cached"), ran("b cached")}, "cache: 2 of 2 steps (100 %)"},
		"nearly all is not all":  {[]Built{ran("a cached", "b cached", "c")}, "cache: 2 of 3 steps (66 %)"},
		"a platform without any": {[]Built{ran(), ran("a cached")}, "cache: 1 of 1 steps (100 %)"},
	} {
		if got := (Image{Platforms: row.platforms}).hits().String(); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
	if (Image{Platforms: []Built{{}}}).hits() != nil {
		t.Error("where nothing ran there is a rate")
	}
}

func TestCallsAreReadAsBuildxReadsThem(t *testing.T) {
	for text, want := range map[string]*call{
		"": nil, "build": nil,
		"check":                            {method: "lint"},
		"lint,format=json":                 {method: "lint", json: true},
		"format=json,outline":              {method: "outline", json: true},
		"targets,format=text":              {method: "targets"},
		"check,ignorestatus=true":          {method: "lint", ignoreStatus: true},
		"subrequests.describe":             {method: "subrequests.describe"},
		`check,"format=json"`:              {method: "lint", json: true},
		"check,ignorestatus=false,format=": {method: "lint"},
	} {
		got, err := BuildFlags{Call: text}.parseCall()
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(call{})); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
}
