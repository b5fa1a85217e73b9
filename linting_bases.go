package archbuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
)

// lintPatience is how long lint waits for the registries of one Dockerfile.
const lintPatience = 10 * time.Second

// lintBases fills in what plan would ask and decide: which image serves each base, and
// which stages move to the build platform. What nobody can tell is no failure here.
func (r run) lintBases(ctx context.Context, s service, host detect.HostFacts, f *lint.Facts) ([]string, error) {
	at, err := r.rewritePlace(host.Platform)
	if err != nil {
		return nil, err
	}
	f.Build = at.platform
	r.lintNodes(host, f)
	f.Read = func(name string) ([]byte, bool) {
		files, err := openContext(s)
		if err != nil {
			return nil, false
		}
		defer files.end()
		return files.Read(name)
	}
	r.lintTimes(s, f)
	asked, err := r.sources(s)
	if err != nil {
		return nil, err
	}
	from := &impatient{Registry: asked, silent: r.silent}
	for _, placed := range r.requests(s, at.everywhere()) {
		if placed.Template != f.Template {
			continue
		}
		limited, end := context.WithTimeoutCause(ctx, lintPatience, errNoAnswer)
		err := r.lintRequest(limited, s, at, placed.Request, from, f)
		end()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errNoAnswer) {
			return nil, err
		}
	}
	return from.notes(), nil
}

// errNoAnswer is why a registry is asked no longer.
var errNoAnswer = fmt.Errorf("no answer within %s", lintPatience)

// lintNodes are the platforms that run natively on this machine, and on nodes as they were
// declared or seen last: nobody is asked.
func (r run) lintNodes(host detect.HostFacts, f *lint.Facts) {
	f.Native = []platform.Platform{f.Build}
	specs, err := r.specs()
	if err != nil {
		return // a build tells of it
	}
	for _, spec := range specs {
		if native := r.lastNative(host, spec); r.BuildPlatform == "" || len(spec.Platforms) > 0 {
			f.Native = append(f.Native, native...)
		}
	}
}

// lintTimes tells how much longer platforms took on the private engine than its own.
func (r run) lintTimes(s service, f *lint.Facts) {
	took := r.history().read(s)
	own := took[f.Build.String()][engineName].Seconds
	if own <= 0 {
		return
	}
	f.Slower = map[platform.Platform]float64{}
	for _, t := range f.Targets {
		if other := took[t.Platform.String()][engineName].Seconds; other > own {
			f.Slower[t.Platform] = other / own
		}
	}
}

// lintRequest asks for one Dockerfile what a plan would ask.
func (r run) lintRequest(ctx context.Context, s service, at place, request plan.Request, from *impatient, f *lint.Facts) error {
	request, err := r.crossed(ctx, s, at, request, from)
	if err != nil {
		return err
	}
	f.Crossed = request.Cross
	answers, failed := plan.Answers{}, map[resolve.Question]error{}
	const rounds = 5 // an ONBUILD that brings an ONBUILD is rare already
	for range rounds {
		more, err := r.lintAsk(ctx, s, request, from, answers, failed)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	f.Bases = append(f.Bases, r.basesOf(s, request, answers, failed, from)...)
	return nil
}

// lintAsk asks what is still open; it reports whether there was something.
func (r run) lintAsk(ctx context.Context, s service, request plan.Request, from resolve.Registry, answers plan.Answers, failed map[resolve.Question]error) (more bool, err error) {
	origins, err := plan.Origins(request, answers)
	if err != nil {
		return false, err
	}
	var open []resolve.Question
	for _, o := range origins {
		_, answered := answers[o.Question]
		if !answered && failed[o.Question] == nil && !slices.Contains(open, o.Question) {
			open = append(open, o.Question)
		}
	}
	if len(open) == 0 {
		return false, nil
	}
	got, _, err := resolve.All(ctx, from, r.rulesOf(s), open)
	maps.Copy(answers, got)
	for _, e := range leaves(err) {
		one := new(resolve.Error)
		if !errors.As(e, &one) {
			return false, e
		}
		for _, q := range open {
			if q.Image == one.Image && slices.Contains(one.Platforms, q.Platform) {
				failed[q] = one.Err
			}
		}
	}
	return true, nil
}

// basesOf are the answers at the places that ask, each place once for a platform.
func (r run) basesOf(s service, request plan.Request, answers plan.Answers, failed map[resolve.Question]error, from *impatient) []lint.Base {
	rules := r.rulesOf(s).List
	var list []lint.Base
	for _, target := range request.Targets {
		one := request
		one.Targets = []plan.Target{target}
		origins, err := plan.Origins(one, answers)
		if err != nil {
			continue
		}
		for _, o := range origins {
			i := slices.IndexFunc(list, func(b lint.Base) bool {
				return b.Line == o.Line && b.Where == o.Where && b.Image == o.Image && b.Platform == o.Platform && b.BroughtBy == o.Base
			})
			if i >= 0 {
				list[i].Targets = append(list[i].Targets, target.Platform)
				continue
			}
			b := lint.Base{Line: o.Line, Where: o.Where, Image: o.Image, Platform: o.Platform, BroughtBy: o.Base, Targets: []platform.Platform{target.Platform}}
			answer, ok := answers[o.Question]
			ruled := slices.ContainsFunc(rules, func(rule resolve.Rule) bool { return rule.Source == answer.Rule })
			b.Ruled = o.Rule != "" || ok && ruled
			if ok && (answer.Digest != "" || b.Ruled) {
				b.Use, b.Rule = answer.Use, answer.Rule
			}
			if !o.Waits {
				fail(&b, failed[o.Question], from)
			}
			list = append(list, b)
		}
	}
	return list
}

// fail notes why there is no image, unless nobody can tell.
func fail(b *lint.Base, err error, from *impatient) {
	var offers *resolve.PlatformError
	var pinned *resolve.PinError
	var wrong *resolve.MismatchError
	switch {
	case err == nil:
	case errors.As(err, &pinned):
		b.Why, b.Offers, b.Single = err.Error(), pinned.Offers, true
	case errors.As(err, &offers):
		b.Why, b.Offers, b.Single = err.Error(), offers.Offers, offers.Single
	case errors.As(err, &wrong):
		b.Why, b.Offers = err.Error(), []platform.Platform{wrong.Found}
	case resolve.IsNotFound(err):
		b.Why = err.Error()
	default:
		from.doubt(err)
	}
}

// silentHosts are the registries that do not answer, and what was said of them already.
type silentHosts struct {
	mu    sync.Mutex
	hosts map[string]error
	said  map[string]bool
}

// impatient is a Registry that asks no host again that was silent, in the whole run.
type impatient struct {
	resolve.Registry
	silent *silentHosts
	mu     sync.Mutex
	doubts []error
}

func (i *impatient) Image(ctx context.Context, ref string) (resolve.Image, error) {
	if err := i.silent.of(ref); err != nil {
		return resolve.Image{}, err
	}
	found, err := i.Registry.Image(ctx, ref)
	return found, i.note(ctx, ref, err)
}

func (i *impatient) Config(ctx context.Context, ref, digest string) (resolve.Config, error) {
	if err := i.silent.of(ref); err != nil {
		return resolve.Config{}, err
	}
	found, err := i.Registry.Config(ctx, ref, digest)
	return found, i.note(ctx, ref, err)
}

// of is why a reference's registry is asked no longer, or nil.
func (s *silentHosts) of(ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hosts[hostOf(ref)]
}

// note remembers a registry that does not answer.
func (i *impatient) note(ctx context.Context, ref string, err error) error {
	_, away := unreached(err)
	if err == nil || !away && !errors.Is(context.Cause(ctx), errNoAnswer) {
		return err
	}
	host := hostOf(ref)
	if !away {
		err = fmt.Errorf("%s: %w", host, errNoAnswer)
	}
	i.silent.mu.Lock()
	defer i.silent.mu.Unlock()
	if i.silent.hosts == nil {
		i.silent.hosts = map[string]error{}
	}
	i.silent.hosts[host] = err
	return err
}

// doubt notes what a registry would not tell.
func (i *impatient) doubt(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.doubts = append(i.doubts, err)
}

// notes say once for each cause why bases were not judged.
func (i *impatient) notes() []string {
	i.silent.mu.Lock()
	defer i.silent.mu.Unlock()
	var list []string
	say := func(key, text string) {
		if i.silent.said == nil {
			i.silent.said = map[string]bool{}
		}
		if !i.silent.said[key] {
			i.silent.said[key] = true
			list = append(list, text)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(i.silent.hosts)) {
		say(host, fmt.Sprintf("%s cannot be asked, so its images are judged by their names (%s); --offline spares the wait", host, shortCause(i.silent.hosts[host])))
	}
	for _, err := range i.doubts {
		if _, away := unreached(err); !away && !errors.Is(err, errNoAnswer) {
			say(err.Error(), "not judged: "+err.Error())
		}
	}
	return list
}

// shortCause is an error without what comes after its first line.
func shortCause(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// lintConfigured are the platforms that archbuild.yaml asks for, with their lines.
func (r run) lintConfigured(_ context.Context, s service, _ detect.HostFacts, f *lint.Facts) ([]string, error) {
	if s.template != f.Template && s.template != nil {
		return nil, nil // said with the template already
	}
	for i, p := range s.config.Platforms {
		f.Configured = append(f.Configured, lint.Configured{File: filepath.Join(filepath.Dir(s.file), s.config.Name), Line: s.config.PlatformLines[i], Platform: p})
	}
	return nil, nil
}
