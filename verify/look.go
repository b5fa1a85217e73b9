package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/program"
	"github.com/archbuild/archbuild/platform"
)

// subject is the image that is looked at.
type subject struct {
	want     platform.Platform
	base     int
	manifest *v1.Manifest
	config   *v1.ConfigFile
	layers   []v1.Layer
	scanner  *scanner
	memory   Memory
	// general are the findings about the image itself.
	general []Finding
}

// look verifies without memory of the image.
func look(ctx context.Context, img v1.Image, o Options) (Report, error) {
	s, err := newSubject(img, o)
	if err != nil {
		return Report{}, err
	}
	open, foreign := s.readable()
	s.general = append(s.label(), foreign...)
	scans, err := s.scanner.layers(ctx, open)
	if err != nil {
		return Report{}, err
	}
	s.general = append(s.general, s.unpacked(scans)...)
	layers := entriesOf(scans)
	where := newPlaces(s.config.Config, s.want)
	report, err := s.judge(nil, layers, where)
	if err != nil || s.base == 0 || (!where.open && !hasWarning(report)) {
		return report, err
	}
	// What the image starts may lead through links of the base, or into it.
	base, err := s.baseEntries(ctx)
	if err != nil || base == nil {
		return report, err
	}
	return s.judge(base, layers, where)
}

func newSubject(img v1.Image, o Options) (*subject, error) {
	s := &subject{want: o.Platform, base: o.BaseLayers, memory: o.Memory}
	if s.want.OS == "" {
		return nil, errors.New("no platform to verify against")
	}
	var err error
	if s.manifest, err = img.Manifest(); err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	if s.config, err = img.ConfigFile(); err != nil {
		return nil, fmt.Errorf("reading image config: %w", err)
	}
	if s.layers, err = img.Layers(); err != nil {
		return nil, fmt.Errorf("reading layers: %w", err)
	}
	if len(s.layers) != len(s.manifest.Layers) {
		return nil, errors.New("the manifest and the image differ in the number of layers")
	}
	if s.base < 0 || s.base > len(s.layers) {
		return nil, fmt.Errorf("%d layers cannot belong to the base, the image has %d", s.base, len(s.layers))
	}
	s.scanner = &scanner{wantARM: s.want.Arch == "arm", windows: s.want.OS == "windows", maxBytes: o.MaxBytes, shared: o.shared}
	if s.scanner.maxBytes <= 0 {
		s.scanner.maxBytes = maxUnpacked
	}
	return s, nil
}

// label compares the platform in the image's config with the wanted one.
func (s *subject) label() []Finding {
	c := s.config
	if c.OS == "" || c.Architecture == "" {
		return []Finding{{Severity: SeverityError, Kind: KindPlatform, Found: "no platform in the image config", Wanted: s.want.String()}}
	}
	is := platform.FromOCI(ocispecs.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant, OSVersion: c.OSVersion})
	if is.Serves(s.want) {
		return nil
	}
	f := Finding{Severity: SeverityError, Kind: KindPlatform, Found: is.String() + " in the image config", Wanted: s.want.String()}
	if c.Variant == "" && is.OS == s.want.OS && is.Arch == s.want.Arch {
		// Many builders leave the variant out: it may be meant for this one.
		f.Severity, f.Why = SeverityWarning, "the config names no variant, so it counts as "+is.String()
	}
	return []Finding{f}
}

// readable are the layers to look at. Those that lie on somebody's server, by
// the manifest's own word, are not fetched, so nothing is known of them.
func (s *subject) readable() (open []v1.Layer, findings []Finding) {
	for i := s.base; i < len(s.layers); i++ {
		if desc := s.manifest.Layers[i]; isForeign(desc) {
			findings = append(findings, Finding{
				Severity: SeverityError, Kind: KindForeign, Digest: desc.Digest.String(), Found: "layer " + desc.Digest.String() + ", kept outside the image",
				Wanted: "a layer that can be read", Why: "foreign layers are not fetched",
			})
			continue
		}
		open = append(open, s.layers[i])
	}
	return open, findings
}

func isForeign(desc v1.Descriptor) bool {
	return len(desc.URLs) > 0 || (desc.MediaType.IsLayer() && !desc.MediaType.IsDistributable())
}

// judge puts the layers on top of one another and looks at the result.
func (s *subject) judge(base []entry, layers [][]entry, where *places) (Report, error) {
	root := newTree(s.scanner.windows)
	err := root.apply(base, false)
	for _, layer := range layers {
		err = errors.Join(err, root.apply(layer, true))
	}
	if err != nil {
		return Report{}, err
	}
	where.settle(root, s.config.Config)
	report := Report{Platform: s.want, Findings: slices.Clone(s.general)}
	root.each(func(name string, n *node) {
		role := where.roles[name]
		if !n.added && role == "" {
			return
		}
		if n.added {
			report.Files++
		}
		if n.program == nil || n.program.Format == program.Script || !s.isUsed(name, n, role) {
			return
		}
		report.Programs++
		if a, why := n.program.RunsOn(s.want); a != program.Runs {
			report.Findings = append(report.Findings, s.finding(name, n.program, a, why, where.why(name)))
		}
	})
	return report, nil
}

// isUsed reports whether a file with a program's magic number is one.
func (s *subject) isUsed(name string, n *node, role string) bool {
	base := path.Base(name)
	switch {
	case role != "":
		return true
	case slices.Contains(strings.Split(path.Dir(name), "/"), "firmware"):
		return false
	case s.want.OS == "windows": // layers of Windows say nothing useful in mode bits
		ext := strings.ToLower(path.Ext(base))
		return ext == ".exe" || ext == ".dll"
	}
	return n.exec || strings.Contains(base, ".so")
}

func (s *subject) finding(name string, p *program.Program, a program.Answer, why, place string) Finding {
	f := Finding{Severity: SeverityWarning, Kind: KindProgram, Path: name, Found: p.Describe(s.want), Wanted: s.want.String(), Why: place}
	if a == program.Cannot && place != "" {
		f.Severity = SeverityError
	}
	switch {
	case f.Why == "":
		f.Why = why
	case why != "":
		f.Why += "; " + why
	}
	return f
}

func hasWarning(r Report) bool { return len(r.Warnings()) > 0 }

// baseEntries reads what can matter of the base: its links and programs. That
// is the same for all images on that base, so it is remembered on its own. It
// is nil when the base is not at hand: then nothing is said about it.
func (s *subject) baseEntries(ctx context.Context) ([]entry, error) {
	parts := []string{"base", s.want.String()}
	for _, desc := range s.manifest.Layers[:s.base] {
		if isForeign(desc) {
			return nil, nil
		}
		parts = append(parts, desc.Digest.String())
	}
	key := memoryKey(parts...)
	if list, ok := recall[[]entry](s.memory, key); ok {
		return list, nil
	}
	scans, err := s.scanner.layers(ctx, s.layers[:s.base])
	var missing *ocistore.MissingError
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the base: %w", err)
	}
	root := newTree(s.scanner.windows)
	for _, layer := range entriesOf(scans) {
		if err := root.apply(layer, false); err != nil {
			return nil, err
		}
	}
	list := root.flat()
	remember(s.memory, key, list)
	return list, nil
}
