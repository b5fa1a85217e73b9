package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tonistiigi/go-csvvalue"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// call is --call read: a question to the frontend instead of a build.
type call struct {
	method string
	json   bool
	// ignoreStatus makes warnings no failure.
	ignoreStatus bool
}

// parseCall reads --call: METHOD[,format=json|text][,ignorestatus=true]. Nil is a build.
func (b BuildFlags) parseCall() (*call, error) {
	const hint = "use check, outline or targets, with ,format=json for JSON"
	refuse := func(format string, args ...any) (*call, error) {
		return nil, &wrong.Usage{fmt.Errorf("--call %s: %w", b.Call, fmt.Errorf(format, args...)), hint}
	}
	if b.Call == "" {
		return nil, nil
	}
	fields, err := csvvalue.Fields(b.Call, nil)
	if err != nil {
		return refuse("%w", err)
	}
	c := &call{}
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		switch {
		case !ok && c.method == "":
			c.method = field
		case ok && key == "format" && (value == "json" || value == "text" || value == ""):
			c.json = value == "json"
		case ok && key == "ignorestatus":
			if c.ignoreStatus, err = strconv.ParseBool(value); err != nil {
				return refuse("ignorestatus is true or false")
			}
		default:
			return refuse("unknown word %q", field)
		}
	}
	switch c.method {
	case "build":
		return nil, nil
	case "check":
		c.method = builder.CallLint
	case builder.CallLint, builder.CallOutline, builder.CallTargets, builder.CallDescribe:
	default:
		return refuse("there is no such method%s", nearest.DidYouMean(c.method, []string{"build", "check", "outline", "targets", "lint"}))
	}
	return c, nil
}

// checkCall refuses a target that is asked for and that its file only wants to be looked at: bake would build no image of it.
func (o Options) checkCall(t project.Target) error {
	if t.Call == "" || t.Call == "build" || o.Call != "" || !o.found.wants(t.Name) {
		return nil
	}
	return &TargetError{t.Name, t.Place("call"), &wrong.File{
		fmt.Errorf("its call is %q: that asks about the Dockerfile, and builds nothing", t.Call),
		"ask that with --call " + t.Call + "; --call build builds it",
	}}
}

// IsCall says whether the flags ask a question instead of a build; a --call that is
// not understood counts as one.
func (b BuildFlags) IsCall() bool {
	c, err := b.parseCall()
	return c != nil || err != nil
}

// CheckError says that --call check has found something.
type CheckError struct {
	File     string
	Warnings int
}

func (e *CheckError) Error() string {
	if e.Warnings == 1 {
		return e.File + ": 1 warning"
	}
	return fmt.Sprintf("%s: %d warnings", e.File, e.Warnings)
}

// Hint names the two ways out.
func (e *CheckError) Hint() string {
	return "mend the Dockerfile, or leave rules out by its first line: # check=skip=RULE"
}

// Call answers --call: it asks BuildKit's frontend about the Dockerfile of each PATH,
// as the user wrote it, and prints the answer on Stdout as buildx does. Where a check
// finds something the error is a *CheckError.
func Call(ctx context.Context, opts Options) error {
	opts, err := opts.input(ctx)
	if err != nil {
		return err
	}
	defer opts.leave()
	opts, refused := opts.distrusting()
	r, err := opts.check()
	if err = errors.Join(refused, err); err != nil {
		return err
	}
	c, err := opts.parseCall()
	if err != nil {
		return err
	}
	c.json = c.json || opts.StdoutUse == "--json"
	host, err := opts.host(ctx)
	if err != nil {
		return err
	}
	services, err := r.read(ctx, host)
	if err != nil {
		return err
	}
	defer func() { closeAll(services) }()
	at, err := opts.locate(ctx, host)
	if err != nil {
		return err
	}
	defer at.close()
	made, err := r.connect(services, func(platform.Platform) platform.Platform { return at.platform })
	if err != nil {
		return err
	}
	services = made.services
	// Nothing is run, so nothing has to be able to run.
	at.runs = func(platform.Platform) plan.Ability { return plan.Ability{How: plan.Native} }
	var plans []plan.Plan
	if c.method != builder.CallTargets && c.method != builder.CallDescribe {
		if plans, err = r.decide(ctx, services, at); err != nil {
			return err
		}
		if err := r.askMoves(services, plans); err != nil {
			return err
		}
	}
	node, closeNode, err := at.open(ctx)
	if err != nil {
		return opts.explainDisk(err)
	}
	defer closeNode()
	var failed []error
	for i, s := range services {
		var p plan.Plan
		if plans != nil {
			p = plans[i]
		}
		failed = append(failed, r.ask(ctx, node, s, p, *c))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// ask asks about each Dockerfile of a service: the template, and files of single
// platforms that are needed.
func (r run) ask(ctx context.Context, node *builder.Node, s service, p plan.Plan, c call) error {
	r = r.with(s)
	var asked []*template.Template
	var failed []error
	for _, target := range s.targets {
		from := s.of(target.Platform)
		if slices.Contains(asked, from.template) {
			continue
		}
		asked = append(asked, from.template)
		answer, err := r.askOne(ctx, node, s, from, target, p, c)
		if err == nil {
			err = c.print(r.Stdout, answer, from)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// askOne asks about one Dockerfile. The text is the user's own but for placeholders;
// bases that are mapped are named contexts, so that what is said of the file is said
// of the file.
func (r run) askOne(ctx context.Context, node *builder.Node, s service, from source, target plan.Target, p plan.Plan, c call) (builder.Answer, error) {
	name, _ := askedName(from)
	job := plan.Job{Platform: target.Platform, BuildPlatform: p.BuildPlatform, Dockerfile: name, Target: target.Stage, Args: target.Args}
	var filled []rewrite.Replacement
	for _, planned := range p.Jobs {
		if planned.Platform != target.Platform {
			continue
		}
		job.Frontend = planned.Frontend
		filled = slices.DeleteFunc(replacements(planned, false), func(to rewrite.Replacement) bool {
			return !template.HasPlaceholder(from.template.References[to.Reference].Text)
		})
	}
	text, err := rewrite.Template(from.template, r.fillings(from, job), filled)
	if err != nil {
		return builder.Answer{}, fmt.Errorf("reading %s: %w", from.file, err)
	}
	files := map[string][]byte{name: text.Bytes}
	if from.ignore != nil {
		files[rewrite.DockerignoreName(name)] = from.ignore
	}
	sources, err := r.offered(s, p, files)
	if err != nil {
		return builder.Answer{}, err
	}
	sources.Store = "" // nothing comes of it
	sources.Registries = r.accessOf(p, imagesOfFile(from.template))
	session, err := builder.Start(ctx, node, sources)
	if err != nil {
		return builder.Answer{}, err
	}
	defer session.Close()
	defer r.grouped("asking about " + s.name)()
	display, err := builder.NewDisplay(r.progressOut(), r.progressMode(), builder.LimitsFrom(r.Getenv))
	if err != nil {
		return builder.Answer{}, err
	}
	options := r.builderOptions(s, p)
	options.Template, options.Remote = from.file, r.mappedContexts(p, target.Platform)
	return session.Call(ctx, job, c.method, options, display)
}

// askedName is how BuildKit knows a Dockerfile, and how answers call it.
func askedName(from source) (name, shown string) {
	if fromStdin(from.file) {
		return "Dockerfile", "stdin"
	}
	return filepath.Base(from.file), from.file
}

// mappedContexts are the named contexts of the user, and one for each base that is
// mapped on a platform.
func (r run) mappedContexts(p plan.Plan, on platform.Platform) map[string]builder.Remote {
	contexts := map[string]builder.Remote{}
	for _, job := range p.Jobs {
		for _, base := range job.Bases {
			if name, err := plan.ContextName(base.From); err == nil && job.Platform == on && base.Mapped() {
				contexts[name] = builder.Remote{Address: imageScheme + base.Pinned()}
			}
		}
	}
	maps.Copy(contexts, r.remotes())
	return contexts
}

// imagesOfFile are the texts of all references of a Dockerfile.
func imagesOfFile(t *template.Template) []string {
	var refs []string
	for _, ref := range t.References {
		refs = append(refs, ref.Text)
	}
	return refs
}

// print writes an answer as buildx does, and says by the error what a check has found.
func (c call) print(w io.Writer, answer builder.Answer, from source) error {
	name, shown := askedName(from)
	warnings, err := answer.Write(w, c.json, name, shown, from.template.Source)
	switch {
	case err != nil:
		return &wrong.File{fmt.Errorf("checking %s: %w", shown, err), "mend it, and check again"}
	case warnings > 0 && !c.ignoreStatus:
		return &CheckError{File: shown, Warnings: warnings}
	}
	return nil
}
