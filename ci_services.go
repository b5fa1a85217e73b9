package archbuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/github"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// CIAssembly is what became of the sets of a plan, in its order.
type CIAssembly struct {
	Services []CIAssembled `json:"services"`
	// several: the plan has more than one, and all of them were asked for.
	several bool
}

// Document is what --json prints: of one service that alone.
func (a CIAssembly) Document() any {
	if !a.several {
		return a.Services[0]
	}
	return a
}

// Empty says that nothing is to be told.
func (a CIAssembly) Empty() bool {
	return len(a.Services) == 0 || !a.several && a.Services[0].Digest == ""
}

// CIAssembleAll assembles as CIAssemble does; of a plan with several services, without Tags,
// all of them. Every set is collected, brought into its registry and verified before the first tag moves,
// and all tags move or none; with PerService those of each service move by themselves. It tells of each
// service, also with an error.
func CIAssembleAll(ctx context.Context, opts CIAssembleOptions) (CIAssembly, error) {
	plan, err := opts.readPlan()
	if err != nil {
		return CIAssembly{}, err
	}
	if len(plan.Services) < 2 || len(opts.Tags) > 0 {
		one, err := CIAssemble(ctx, opts)
		return CIAssembly{Services: []CIAssembled{one}}, err
	}
	list, err := opts.joinings(ctx, plan)
	if err != nil {
		return CIAssembly{}, err
	}
	defer func() {
		for _, s := range list {
			if s.assembly != nil {
				_ = s.assembly.Close() // It was only read.
			}
		}
	}()
	for _, s := range list {
		s.err = s.gather(ctx)
		if s.err == nil && opts.PerService && !opts.DryRun {
			s.err = s.move(ctx, s.assembly, &s.made)
		}
		if ctx.Err() != nil {
			break
		}
	}
	var moved error
	if !opts.PerService && !opts.DryRun && ctx.Err() == nil {
		moved = moveTogether(ctx, list)
	}
	return opts.ended(ctx, plan, list, moved)
}

// joining is one of several services.
type joining struct {
	*joiner
	made     CIAssembled
	assembly *manifest.Assembly
	err      error
}

// joinings are the services of the plan that have tags. Those without have legs that push nothing.
func (o CIAssembleOptions) joinings(ctx context.Context, plan ci.Plan) ([]*joining, error) {
	client, _, err := o.base().registryClient()
	if err != nil {
		return nil, err
	}
	var list []*joining
	var failed []error
	for _, service := range plan.Services {
		if len(service.Tags) == 0 {
			continue
		}
		said := o
		if service.Run != "" && o.Run != "" {
			if o.Run != plan.Run {
				failed = append(failed, &wrong.Usage{fmt.Errorf("--run %s: the plan is of run %s", o.Run, plan.Run), "leave --run out: the plan knows that of each service"})
			}
			said.Run = service.Run
		}
		j := &joiner{CIAssembleOptions: said, client: client}
		failed = append(failed, j.read(ctx, plan, service))
		one := &joining{joiner: j}
		one.made.Name, one.made.Run = service.Name, j.run
		list = append(list, one)
	}
	if len(list) == 0 {
		failed = append(failed, &wrong.Usage{fmt.Errorf("--plan %s: none of its services has a tag", o.Plan), "name them when planning: archbuild ci plan -t REGISTRY/{name}:TAG"})
	}
	return list, joinedOnce(failed)
}

// gather collects the records of a service and makes its index; no tag names it yet.
func (s *joining) gather(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	records, err := s.collect(ctx)
	if incomplete := new(*ci.IncompleteError); errors.As(err, incomplete) {
		(*incomplete).Legs = s.legs(**incomplete)
	}
	if err != nil {
		return err
	}
	s.made, s.assembly, err = s.prepare(ctx, records)
	s.made.Name = s.service.Name
	return err
}

// legs are those of the plan that should have left the missing records.
func (s *joining) legs(e ci.IncompleteError) []ci.Leg {
	var missing []ci.Leg
	for _, p := range e.Missing {
		for _, leg := range s.service.Legs {
			if leg.Platform == p {
				missing = append(missing, leg)
			}
		}
	}
	return missing
}

// moveTogether moves the tags of all services, if none has failed.
func moveTogether(ctx context.Context, list []*joining) error {
	var names []string
	for _, s := range list {
		if s.err != nil {
			names = append(names, s.service.Name)
		}
	}
	var deliveries []manifest.Delivery
	var of []*joining
	options := list[0].pushOptions()
	options.Was = map[string]digest.Digest{}
	for _, s := range list {
		switch {
		case s.err != nil:
		case s.already:
			s.err = s.move(ctx, s.assembly, &s.made) // It only tells.
		case len(names) > 0:
			s.made.Held = names
		default:
			maps.Copy(options.Was, s.was)
			deliveries, of = append(deliveries, manifest.Delivery{Assembly: s.assembly, Names: s.Tags}), append(of, s)
		}
	}
	if len(deliveries) == 0 {
		return nil
	}
	pushed, err := manifest.PushAll(ctx, list[0].client, deliveries, options)
	for i, s := range of {
		s.made.Pushed = &pushed[i]
	}
	return err
}

// ended tidies up where tags have moved, and writes the files that tell of all services.
func (o CIAssembleOptions) ended(ctx context.Context, plan ci.Plan, list []*joining, moved error) (CIAssembly, error) {
	made := CIAssembly{several: true}
	failed := append(failures(list), moved)
	for _, s := range list {
		if s.err != nil {
			s.made.Error = s.err.Error()
		} else if s.made.Pushed != nil && moved == nil {
			s.leave(ctx, s.assembly, &s.made)
		}
	}
	for _, service := range plan.Services {
		if len(service.Tags) == 0 {
			made.Services = append(made.Services, CIAssembled{Summary: ci.Summary{Name: service.Name}, Warnings: []string{service.Name + " has no tag in the plan, so its legs pushed nothing"}})
			continue
		}
		made.Services = append(made.Services, list[0].made)
		list = list[1:]
	}
	err := errors.Join(failed...)
	if o.DryRun || moved != nil {
		return made, err
	}
	return made, errors.Join(err, o.writeSummary(made.markdown()), o.writeMetadata(made, err == nil))
}

// failures are the errors of the services. What is wrong with the place of all records is told once.
func failures(list []*joining) []error {
	var failed []error
	once := true
	for _, s := range list {
		once = once && s.err != nil && s.err.Error() == list[0].err.Error() && !errors.As(s.err, new(*ci.IncompleteError))
		if s.err != nil {
			failed = append(failed, inService(s.service.Name, s.err))
		}
	}
	if once {
		return []error{list[0].err}
	}
	return failed
}

// writeMetadata writes what became of several services into one file, by their names; on GitHub
// it is an output of the step if all went well.
func (o CIAssembleOptions) writeMetadata(made CIAssembly, done bool) error {
	all := map[string]json.RawMessage{}
	for _, a := range made.Services {
		body, err := a.metadata()
		switch {
		case a.Error != "":
			body, err = json.Marshal(map[string]string{metadataError: a.Error})
		case len(a.Held) > 0:
			body, err = json.Marshal(map[string][]string{metadataHeld: a.Held})
		case a.Digest == "":
			continue
		}
		if err != nil {
			return fmt.Errorf("writing metadata: %w", err)
		}
		all[a.Name] = body
	}
	body, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("writing metadata: %w", err)
	}
	if o.MetadataFile != "" {
		err = outside.WriteWhole(o.MetadataFile, append(body, '\n'))
	}
	if done {
		err = errors.Join(err, o.WriteMetadata(body))
	}
	return err
}

// metadataError is a key of archbuild's own: why a service was not assembled.
const metadataError = "archbuild.error"

// markdown is a table for each service, or why there is none.
func (a CIAssembly) markdown() []byte {
	var parts []string
	for _, one := range a.Services {
		title := "### " + github.Cell(one.Name) + "\n\n"
		switch {
		case one.Error != "":
			parts = append(parts, title+"- not assembled: "+github.Cell(one.Error)+"\n")
		case len(one.Held) > 0:
			parts = append(parts, title+"- no tag was moved, since "+github.Cell(strings.Join(one.Held, ", "))+" failed\n")
		case one.Digest != "":
			parts = append(parts, string(one.Markdown(one.names)))
		}
	}
	return []byte(strings.Join(parts, "\n"))
}
