package archbuild

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
)

// WritePlans prints what would be done, one table a template.
func WritePlans(w io.Writer, plans []plan.Plan) error {
	told := map[string]bool{}
	for i, p := range plans {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s for %s (from %s), on %s\n", ui.Line(p.Name), ui.Line(p.Template), platformList(p), p.PlatformsFrom, ui.Line(whereText(p)))
		if p.Context != nil {
			fmt.Fprintf(w, "context: %s\n", ui.Line(p.Context.String()))
		}
		var rows [][]string
		for _, job := range p.Jobs {
			rows = append(rows, jobRows(job)...)
		}
		if err := ui.Table(w, []string{"PLATFORM", "LINE", "WHERE", "IMAGE", "WHY", "RUNS"}, rows); err != nil {
			return err
		}
		for _, job := range p.Jobs {
			if job.Choice != nil {
				fmt.Fprintf(w, "%s goes to node %s: %s\n", job.Platform, ui.Line(job.Node), ui.Line(choiceText(*job.Choice)))
			}
		}
		for _, job := range p.Jobs {
			if job.Witness != "" {
				fmt.Fprintf(w, "%s has a witness: node %s builds it as well, and both must have built the same\n", job.Platform, ui.Line(job.Witness))
			}
		}
		for _, note := range p.Notes {
			if !told[note] {
				told[note] = true
				fmt.Fprintf(w, "note: %s\n", ui.Line(note))
			}
		}
		if len(p.Outputs) > 0 {
			as := ""
			if len(p.Tags) > 0 {
				as = " as " + strings.Join(p.Tags, ", ")
			}
			fmt.Fprintf(w, "then: verify (%s), %s\n", p.Verify, ui.Line(strings.Join(p.Outputs, ", ")+as))
		}
	}
	return nil
}

// whereText lists the nodes of a plan, each with its platform.
func whereText(p plan.Plan) string {
	var list []string
	for _, job := range p.Jobs {
		text := fmt.Sprintf("%s (%s)", job.Node, job.BuildPlatform)
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	if len(list) == 0 {
		return fmt.Sprintf("%s (%s)", p.Node, p.BuildPlatform)
	}
	return strings.Join(list, ", ")
}

// choiceText says why a node was chosen, how long it may take, and what else could do it.
func choiceText(c plan.Choice) string {
	text := c.Why
	if c.Start > 0 {
		text += fmt.Sprintf(", from %s on", ui.Duration(time.Duration(c.Start*float64(time.Second))))
	}
	if c.Seconds > 0 && !strings.Contains(c.Why, " last time") {
		text += fmt.Sprintf(", about %s", ui.Duration(time.Duration(c.Seconds*float64(time.Second))))
	}
	if len(c.Others) > 0 {
		text += "; or " + strings.Join(c.Others, ", ") + ", whichever is free"
	}
	return text
}

func platformList(p plan.Plan) string {
	names := make([]string, len(p.Jobs))
	for i, job := range p.Jobs {
		names[i] = job.Platform.String()
	}
	return strings.Join(names, ", ")
}

// jobRows shows each stage a job needs, then the images that it copies from, then
// what its bases bring along and what contexts stand for.
func jobRows(job plan.Job) [][]string {
	var rows [][]string
	shown := map[int]bool{}
	bases := slices.Concat(job.Bases, job.Contexts)
	for _, stage := range job.Stages {
		why := "as written"
		for _, base := range bases {
			if base.Reference >= 0 && base.Line == stage.Line && base.Where == "FROM" {
				why, shown[base.Reference] = baseReason(base), true
			}
		}
		for _, st := range job.Stands {
			if st.Line == stage.Line && st.Where == "FROM" {
				why = "built here: " + st.Service
			}
		}
		rows = append(rows, []string{job.Platform.String(), fmt.Sprint(stage.Line), stageName(stage), shortPin(stage.Base), why, runs(stage, job)})
	}
	for _, st := range job.Stands {
		if st.Where != "FROM" {
			line := ""
			if st.Line > 0 {
				line = fmt.Sprint(st.Line)
			}
			rows = append(rows, []string{job.Platform.String(), line, st.Where, st.Name, "built here: " + st.Service, ""})
		}
	}
	for _, base := range slices.Concat(job.Bases, job.Onbuild, job.Contexts) {
		if !shown[base.Reference] {
			rows = append(rows, []string{job.Platform.String(), fmt.Sprint(base.Line), base.Where, shortPin(base.To), baseReason(base), ""})
		}
	}
	return rows
}

func baseReason(base plan.Base) string {
	why := base.Rule
	if base.Mapped() {
		why = fmt.Sprintf("for %s: %s", shortPin(base.From), base.Rule)
	}
	if base.BroughtBy != "" {
		why += ", brought by " + base.BroughtBy
	}
	return why
}

// shortPin writes a digest in a reference as short as the summary does.
func shortPin(ref string) string {
	name, digest, pinned := strings.Cut(ref, "@sha256:")
	if !pinned {
		return ref
	}
	return name + " @" + strings.TrimPrefix(ui.Digest("sha256:"+digest), "sha256:")
}

func stageName(stage plan.Stage) string {
	if stage.Name != "" {
		return "FROM … AS " + stage.Name
	}
	return "FROM"
}

func howText(how plan.How) string {
	if how == plan.None || how == "" {
		return "-"
	}
	return string(how)
}

// runs says how a stage's programs run, where that is not the job's own platform,
// and what was decided about running it on the build platform.
func runs(stage plan.Stage, job plan.Job) string {
	how := howText(stage.How)
	switch c := stage.Cross; {
	case c != nil && c.Moved:
		return fmt.Sprintf("%s (%s): %s", how, c.Recipe, ui.Line(c.Why))
	case c != nil && c.Line == stage.Line:
		return fmt.Sprintf("%s: %s", how, ui.Line(c.Why))
	case c != nil:
		return fmt.Sprintf("%s: %s", how, ui.Line(c.String()))
	}
	if stage.Platform != job.Platform {
		return fmt.Sprintf("%s (%s)", how, stage.Platform)
	}
	return how
}

// WriteText prints the closing summary: per platform what it stands on, how it
// was built and what came out; then the index and how to use it.
func (o Outcome) WriteText(w io.Writer) error {
	for _, image := range o.Images {
		if err := image.writeText(w, len(o.Images) == 1); err != nil {
			return err
		}
	}
	if at := slices.IndexFunc(o.Images, func(i Image) bool { return len(i.Held) > 0 }); at >= 0 { // the same for all
		_, err := fmt.Fprintf(w, "\nno tag was moved, since %s failed: those of all services move together, or each by itself with --per-service\n", ui.Line(strings.Join(o.Images[at].Held, ", ")))
		return err
	}
	return nil
}

// writeText prints one image; hints is how to use it, which a user of several images need not be told of each.
func (i Image) writeText(w io.Writer, hints bool) error {
	headers, rows := i.table()
	fmt.Fprintf(w, "\n%s\n", ui.Line(i.Name))
	if err := ui.Table(w, headers, rows); err != nil {
		return err
	}
	i.writeWitnesses(w)
	i.writeTraffic(w)
	i.writeRefused(w)
	if len(i.Records) > 0 {
		return i.writeRecords(w)
	}
	if i.Digest == "" {
		fmt.Fprintln(w, "no index was made")
		return nil
	}
	without := ""
	if len(i.Without) > 0 {
		without = " WITHOUT " + joinPlatforms(i.Without)
	}
	fmt.Fprintf(w, "index %s%s\n", i.Digest, without)
	for _, out := range i.Outputs {
		if out.Dest == "" {
			continue
		}
		if out.Dest == "-" {
			fmt.Fprintln(w, "  on standard output")
			continue
		}
		fmt.Fprintf(w, "  in %s\n", ui.Line(out.Dest))
		if !hints {
			continue
		}
		for _, use := range uses(out, i) {
			fmt.Fprintf(w, "     %s\n", ui.Line(use))
		}
	}
	for _, l := range i.Loaded {
		fmt.Fprintf(w, "  loaded into %s\n", ui.Line(l.String()))
	}
	if i.Pushed == nil {
		return nil
	}
	for _, ref := range i.Pushed.References {
		fmt.Fprintf(w, "  pushed %s (%s sent)\n", ui.Line(ref), ui.Size(i.Pushed.Sent))
	}
	i.Pushed.WriteTags(w)
	return nil
}

// table has a row for each platform.
func (i Image) table() (headers []string, rows [][]string) {
	headers = []string{"PLATFORM", "BASE", "RUNS", "STATE", "TIME", "STEPS", "SIZE", "DIGEST"}
	nodes := i.nodes()
	if nodes {
		headers = slices.Insert(headers, 2, "NODE")
	}
	for _, b := range i.Platforms {
		base := cmp.Or(b.Base, "scratch")
		if b.BaseDigest != "" {
			base += " @" + strings.TrimPrefix(ui.Digest(b.BaseDigest), "sha256:")
		}
		steps := fmt.Sprintf("%d", b.Steps)
		switch {
		case b.State == stateResumed:
			steps = "-"
		case b.Cached > 0:
			steps = fmt.Sprintf("%d (%d cached)", b.Steps, b.Cached)
		}
		size := "-"
		if b.Size > 0 {
			size = ui.Size(b.Size)
		}
		took := time.Duration(b.Seconds * float64(time.Second))
		state := b.State
		if b.Because != "" {
			state += " because of " + ui.Line(b.Because)
		}
		if b.Tries > 1 {
			state += fmt.Sprintf(" (try %d)", b.Tries)
		}
		row := []string{b.Platform.String(), base, howText(b.How), state, ui.Duration(took), steps, size, ui.Digest(b.Digest)}
		if nodes {
			row = slices.Insert(row, 2, cmp.Or(ui.Line(b.Node), "-"))
		}
		rows = append(rows, row)
	}
	return headers, rows
}

// writeWitnesses tells what other nodes have built.
func (i Image) writeWitnesses(w io.Writer) {
	for _, b := range i.Platforms {
		switch {
		case b.Witness == nil:
		case b.Witness.Same:
			fmt.Fprintf(w, "witness of %s: node %s has built the same\n", b.Platform, ui.Line(b.Witness.Node))
		case b.Witness.Digest != "":
			fmt.Fprintf(w, "witness of %s: node %s has built ANOTHER image, %s\n", b.Platform, ui.Line(b.Witness.Node), ui.Digest(b.Witness.Digest))
		}
	}
}

// nodes says whether it is worth telling which node built what: there are several, or a
// job was begun more than once.
func (i Image) nodes() bool {
	return slices.ContainsFunc(i.Platforms, func(b Built) bool {
		return b.Tries > 1 || b.Node != "" && b.Node != i.Platforms[0].Node
	})
}

// uses are commands that do something with an output.
func uses(out manifest.Written, i Image) []string {
	switch out.Type {
	case manifest.TypeDocker:
		return []string{"docker load -i " + out.Dest}
	case manifest.TypeOCI:
	default:
		return nil
	}
	if info, err := os.Stat(out.Dest); err != nil || !info.IsDir() {
		return []string{"skopeo inspect --raw oci-archive:" + out.Dest}
	}
	layout := "oci:" + out.Dest
	if len(i.Tags) > 1 { // a reader has to be told which
		layout += ":" + tagOf(i.Tags[0])
	}
	return []string{
		"skopeo inspect --raw " + layout,
		fmt.Sprintf("skopeo copy --all %s docker://REGISTRY/%s", layout, i.Name),
		"podman run --rm " + layout,
	}
}

// tagOf is the tag in a name; without one it is latest.
func tagOf(name string) string {
	_, tag, found := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	if !found {
		return "latest"
	}
	return tag
}

// writeRefused tells of nodes that asked for what is not theirs.
func (i Image) writeRefused(w io.Writer) {
	for _, to := range i.Refused {
		if len(to.Passwords) > 0 {
			fmt.Fprintf(w, "warning: %s; %s\n", ui.Line(builder.WithoutPasswords(to.Node, to.Passwords)), ui.Line(builder.ForPasswords(to.Passwords)))
		}
		total, first := 0, guard.Refusal{}
		for _, r := range to.Refusals {
			if slices.ContainsFunc(to.Passwords, func(registry string) bool { return r.What == guard.PasswordOf(registry) }) {
				continue // told
			}
			if total += r.Times; first.Times == 0 {
				first = r
			}
		}
		if total == 0 {
			continue
		}
		fmt.Fprintf(w, "warning: node %s asked for what the plan does not name, %d time%s, and got nothing of it: %s\n",
			ui.Line(to.Node), total, ui.Plural(total), ui.Line(fmt.Sprintf("%s (%s)", first.What, first.Kind)))
	}
}

// writeTraffic says what caches answered, and what each node was sent, where it was anything.
func (i Image) writeTraffic(w io.Writer) {
	if i.Cache != nil {
		fmt.Fprintln(w, i.Cache)
	}
	for _, sent := range i.Sent {
		if sent.Images > 0 {
			fmt.Fprintf(w, "sent to %s: %s of images that it stands on\n", ui.Line(sent.Node), ui.Size(sent.Images))
		}
		if sent.Files == 0 {
			continue // the node had them from a build before
		}
		plural := "s"
		if sent.Files == 1 {
			plural = ""
		}
		fmt.Fprintf(w, "sent to %s: %d file%s, %s, and %s of names\n", ui.Line(sent.Node), sent.Files, plural, ui.Size(sent.Contents), ui.Size(sent.Metadata))
	}
}
