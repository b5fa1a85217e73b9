package port

import (
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// hexadecimal matches what can be a checksum.
var hexadecimal = regexp.MustCompile(`\b(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{96}|[0-9a-fA-F]{64}|[0-9a-fA-F]{56}|[0-9a-fA-F]{40}|[0-9a-fA-F]{32})\b`)

// kind of a checksum by its length.
func kind(sum string) string {
	return map[int]string{32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}[len(sum)]
}

// sums finds the checksums of files that differ by platform.
func (r *run) sums() {
	slots := slices.Clone(r.slots)
	for _, word := range r.words {
		for _, p := range word.pieces {
			for _, loc := range hexadecimal.FindAllStringIndex(r.script.Text[p.at:p.end], -1) {
				at, end := p.at+loc[0], p.at+loc[1]
				span, ok := source(r.script, at, end)
				if !ok {
					continue
				}
				findings := r.flagged(span.Start, span.End, "checksum-one-arch")
				if len(findings) == 0 {
					continue
				}
				s := r.sum(r.script.Text[at:end], r.downloadOf(at, slots), slots)
				s.span, s.quote, s.findings = span, p.quote, findings
				s.whole = p.quote == bare && at == word.at && end == word.end
				r.slots = append(r.slots, s)
			}
		}
	}
}

// downloadOf finds the URL that a checksum at a place of the script is about: the last
// one before it that differs by platform, else the next.
func (r *run) downloadOf(at int, slots []slot) token {
	best := token{}
	for _, word := range r.words {
		if !looksFetched(word.raw) {
			continue
		}
		span, ok := source(r.script, word.at, word.end)
		if !ok || !strings.Contains(word.raw, "$") && !slices.ContainsFunc(slots, func(s slot) bool { return inside(s.span, span) }) {
			continue
		}
		if word.at < at || best.raw == "" {
			best = token{span: span, raw: word.raw}
		}
	}
	return best
}

// looksFetched says whether a word is a URL, or one behind a variable.
func looksFetched(raw string) bool {
	raw = strings.TrimLeft(raw, `"'`)
	return strings.Contains(raw, "://") || strings.HasPrefix(raw, "$") && strings.Contains(raw, "/")
}

func inside(a, b template.Span) bool { return a.Start >= b.Start && a.End <= b.End }

// sum is the slot of a checksum of what a token downloads.
func (w *work) sum(text string, of token, slots []slot) slot {
	s := slot{sum: true, own: w.usual()}
	var in []slot
	for _, other := range slots {
		if inside(other.span, of.span) && !other.sum {
			in = append(in, other)
			s.own = other.own
		}
	}
	slices.SortFunc(in, func(a, b slot) int { return a.span.Start - b.span.Start })
	what := kind(text)
	url := strings.Trim(of.raw, `"'`)
	for i, p := range w.Platforms {
		if i == s.own {
			s.values = append(s.values, value{text: text})
			continue
		}
		file := strings.Trim(w.on(of, in, i), `"'`)
		if file == "" {
			file = "the file for " + p.String()
		} else if len(in) == 0 {
			file = strings.NewReplacer("${TARGETARCH}", p.Arch, "$TARGETARCH", p.Arch).Replace(file)
			if file == url {
				file = on(url, p)
			}
			if file == url {
				file += " for " + p.String()
			}
		}
		s.values = append(s.values, value{missing: what + " of " + readable(file)})
	}
	name := project(url)
	s.names = []string{strings.ToUpper(what)}
	if p := upper(name); p != "" {
		s.names = append(s.names, p+"_"+strings.ToUpper(what))
	}
	s.about = aboutOf(url)
	return s
}

// on is a URL with the words for an architecture that a platform has in it.
func on(url string, p platform.Platform) string {
	words := arch.Find(url)
	for _, w := range slices.Backward(words) {
		if name, ok := w.For(p); ok {
			url = url[:w.At] + name + url[w.End:]
		}
	}
	return url
}

// commands matches what a message cannot hold: commands, and expansions with braces of their own.
var commands = regexp.MustCompile("\\$\\([^()]*\\)|`[^`]*`|\\$\\{[^}]*[^}A-Za-z0-9_][^}]*\\}")

// readable is a URL in a message of the shell: its variables stay.
func readable(url string) string {
	url = commands.ReplaceAllString(url, "…")
	return strings.NewReplacer(`"`, "", `'`, "", `\`, "", "`", "", "$(", "", "\n", " ", "\r", "").Replace(url)
}

// usual is the platform that a file is taken to be for where it does not say: amd64.
func (w *work) usual() int {
	for i, p := range w.Platforms {
		if p.Arch == "amd64" {
			return i
		}
	}
	return 0
}

// tokenSums finds the checksums among the tokens of an instruction without a shell.
func (w *work) tokenSums(tokens []token, slots []slot) []slot {
	var list []slot
	key := ""
	for _, t := range tokens {
		if k := t.key(); k != "" {
			key = k
		} else if plainName.MatchString(t.raw) {
			key = t.raw
		}
		for _, loc := range hexadecimal.FindAllStringIndex(t.raw, -1) {
			span := template.Span{Start: t.span.Start + loc[0], End: t.span.Start + loc[1]}
			findings := w.flagged(span.Start, span.End, "checksum-one-arch")
			if len(findings) == 0 {
				continue
			}
			of := w.urlUsing(key)
			for _, other := range tokens {
				if looksFetched(other.raw) {
					of = other
				}
			}
			s := w.sum(t.raw[loc[0]:loc[1]], of, slots)
			if key != "" {
				s.names = []string{key + "_SUM"}
			} else if len(s.names) > 1 {
				s.names = slices.Clone(s.names[1:])
			}
			s.span, s.quote, s.findings = span, t.quoteAt(loc[0]), findings
			list = append(list, s)
		}
	}
	return list
}

// urlUsing is the URL of the first RUN that takes a variable with a checksum.
func (w *work) urlUsing(key string) token {
	for _, steps := range w.steps {
		for _, step := range steps {
			if _, ok := step.Command.(*instructions.RunCommand); !ok || !(&names{source: w.text(step.Span)}).used(key) {
				continue
			}
			for _, t := range w.tokens(step.Span) {
				if strings.Contains(t.raw, "://") {
					return token{raw: strings.TrimRight(t.raw, ";")}
				}
			}
		}
	}
	return token{raw: "the file that " + key + " is about"}
}

// unnamed finds downloads that say no architecture.
func (r *run) unnamed() {
	for _, word := range r.words {
		span, ok := source(r.script, word.at, word.end)
		if !ok || !strings.Contains(word.raw, "://") {
			continue
		}
		s, ok := r.unnamedSlot(word.raw, span, bare)
		if !ok {
			continue
		}
		at := word.at + s.span.Start - span.Start
		piece, ok := word.piece(at, at+s.span.End-s.span.Start)
		if !ok {
			continue
		}
		s.quote = piece.quote
		r.slots = append(r.slots, s)
	}
}

// suffixes are what well-known projects put behind a part of the name of their amd64
// file for other machines, and which part that is.
var suffixes = []struct {
	file  *regexp.Regexp
	words map[string]string
}{
	{regexp.MustCompile(`krallin/tini/.*/(tini(?:-static)?)$`), dashed("arm64 armhf armel ppc64el ppc64le s390x")},
	{regexp.MustCompile(`krallin/tini/.*/(tini_[^\s/_-]*)\.(?:deb|rpm)$`), dashed("arm64 armhf armel ppc64el ppc64le s390x")},
	{regexp.MustCompile(`k3s-io/k3s/.*/(k3s)$`), dashed("arm64 armhf")},
	{regexp.MustCompile(`(?:openfaas|alexellis)/.*/(faas-cli|k3sup|arkade|inletsctl)$`), dashed("arm64 armhf")},
	{regexp.MustCompile(`docker-compose-wait/.*/(wait)$`), map[string]string{"arm64": "_aarch64", "arm/v7": "_armv7"}},
	{regexp.MustCompile(`projectcalico/calicoctl/.*/(calicoctl)$`), map[string]string{"arm64": "-linux-arm64", "ppc64le": "-linux-ppc64le", "s390x": "-linux-s390x"}},
	{regexp.MustCompile(`buildpacks/pack/.*(linux)\.tgz$`), dashed("arm64")},
	{regexp.MustCompile(`linkerd/linkerd2/.*(linux)$`), dashed("arm64")},
	{regexp.MustCompile(`(downloadazcopy-v10-linux)$`), dashed("arm64")},
	{regexp.MustCompile(`yt-dlp/yt-dlp/.*/(yt-dlp_linux)$`), map[string]string{"arm64": "_aarch64", "arm/v7": "_armv7l"}},
	{regexp.MustCompile(`snyk.*/(snyk-linux)$`), dashed("arm64")},
	{regexp.MustCompile(`istio/istio/.*(linux)\.tar\.gz$`), map[string]string{"arm64": "-arm64", "arm/v7": "-armv7"}},
}

// dashed are suffixes of Debian's names for machines.
func dashed(names string) map[string]string {
	keys := map[string]string{"armhf": "arm/v7", "armel": "arm/v5", "ppc64el": "ppc64le"}
	words := map[string]string{}
	for _, name := range strings.Fields(names) {
		key := name
		if k, ok := keys[name]; ok {
			key = k
		}
		words[key] = "-" + name
	}
	return words
}

// unnamedSlot finds the part of a URL that other machines have something behind.
func (w *work) unnamedSlot(raw string, span template.Span, quote quoting) (slot, bool) {
	findings := w.flagged(span.Start, span.End, "download-unnamed-arch")
	if len(findings) == 0 {
		return slot{}, false
	}
	url := strings.TrimRight(raw, `"'`)
	for _, row := range suffixes {
		loc := row.file.FindStringSubmatchIndex(url)
		if loc == nil || strings.Contains(url[loc[2]:loc[3]], "$") {
			continue
		}
		s := slot{span: template.Span{Start: span.Start + loc[2], End: span.Start + loc[3]}, quote: quote, own: -1, findings: findings}
		text := url[loc[2]:loc[3]]
		for i, p := range w.Platforms {
			suffix, ok := row.words[arch.Key(p)]
			if p.Arch == "amd64" {
				s.own, ok = i, true
			}
			s.values = append(s.values, value{text: text + suffix, none: !ok})
		}
		name := upper(project(url))
		s.names, s.about = []string{name + "_FILE", "FILE"}, aboutOf(url)
		return s, s.own >= 0
	}
	return slot{}, false
}
