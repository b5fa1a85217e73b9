package ci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Formats are the words of --format.
func Formats() []string { return []string{"github", "gitlab", "make", "json"} }

// Write gives the plan in one of Formats.
func (p Plan) Write(format string) ([]byte, error) {
	switch format {
	case "github":
		return p.github()
	case "gitlab":
		return p.gitlab(), nil
	case "make":
		return p.make()
	}
	return p.JSON()
}

// github is the value of a job's strategy.matrix, on one line.
func (p Plan) github() ([]byte, error) {
	type include struct {
		Platform string `json:"platform"`
		Runner   string `json:"runner"`
		Args     string `json:"args"`
		Name     string `json:"name"`
	}
	matrix := struct {
		Include []include `json:"include"`
	}{[]include{}}
	for _, leg := range p.Legs() {
		matrix.Include = append(matrix.Include, include{leg.Platform.String(), leg.Runner, Quoted(leg.Args), leg.Name})
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(matrix); err != nil {
		return nil, fmt.Errorf("writing the matrix: %w", err)
	}
	return out.Bytes(), nil
}

// Quoted is a list of arguments as a POSIX shell reads it.
func Quoted(args []string) string {
	var words []string
	for _, arg := range args {
		plain := arg != "" && strings.Trim(arg, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-") == ""
		if !plain {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// gitlab is a child pipeline: a job for each leg, and one that assembles, or with several services and no file of the
// plan one for each. Its strings are written as JSON, which YAML reads.
func (p Plan) gitlab() []byte {
	var out bytes.Buffer
	fmt.Fprintln(&out, "stages: [build, assemble]")
	for _, s := range p.Services {
		for _, leg := range s.Legs {
			fmt.Fprintf(&out, "\n%s:\n  stage: build\n", text(leg.Name))
			if leg.Runner != "" {
				fmt.Fprintf(&out, "  tags: [%s]\n", text(leg.Runner))
			}
			fmt.Fprintf(&out, "  script:\n    - %s\n", text("archbuild build "+Quoted(leg.Args)))
			alsoBuilds(&out, leg)
			p.artifacts(&out)
		}
		if !p.together() {
			gitlabAssemble(&out, s.Name+"-assemble", p.Assemble(s))
		}
	}
	if p.together() {
		gitlabAssemble(&out, "assemble", p.assembleAll())
	}
	return out.Bytes()
}

func gitlabAssemble(out *bytes.Buffer, job string, args []string) {
	fmt.Fprintf(out, "\n%s:\n  stage: assemble\n", text(job))
	fmt.Fprintf(out, "  script:\n    - %s\n", text("archbuild "+Quoted(args)))
}

// alsoBuilds says in a comment what else a leg builds.
func alsoBuilds(out *bytes.Buffer, leg Leg) {
	if len(leg.Builds) > 0 {
		fmt.Fprintf(out, "  # also builds %s\n", text(strings.Join(leg.Builds, ", ")))
	}
}

func (p Plan) artifacts(out *bytes.Buffer) {
	if p.Record != Registry {
		fmt.Fprintf(out, "  artifacts: {paths: [%s]}\n", text(p.Record))
	}
}

// text is a YAML string.
func text(s string) string {
	body, _ := json.Marshal(s) // of a string it never fails
	return string(body)
}

// Registry is the word for records that are kept in the registry itself.
const Registry = "registry"

// Assemble are the arguments by which the records of a service become one image.
func (p Plan) Assemble(s Service) []string {
	args := []string{"ci", "assemble"}
	for _, tag := range s.Tags {
		args = append(args, "-t", tag)
	}
	if p.File != "" {
		args = append(args, "--plan", p.File)
	} else {
		args = append(args, "--require", strings.ReplaceAll(list(s.Platforms), " ", ""))
	}
	if run := p.RunOf(s); run != "" {
		args = append(args, "--run", run)
	}
	if p.File != "" && len(s.Legs) == 0 && p.Record != Registry {
		return args // No leg runs, so nobody writes that folder: all records are the plan's.
	}
	return append(args, p.Record)
}

// together says that one call assembles all services, whose tags move together: it reads the plan's file, so there has to be one.
func (p Plan) together() bool { return p.File != "" && len(p.Services) > 1 }

// assembleAll are the arguments by which the records of all services become their images.
func (p Plan) assembleAll() []string {
	args := []string{"ci", "assemble", "--plan", p.File}
	if len(p.Legs()) == 0 && p.Record != Registry {
		return args // as for one
	}
	return append(args, p.Record)
}

// make is a file of rules: ci-assemble needs ci-SERVICE, which needs one target for each
// leg, so that make -j runs the legs side by side.
func (p Plan) make() ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintln(&out, "ARCHBUILD ?= archbuild")
	phony := []string{"ci-assemble"}
	var services, rules []string
	for _, s := range p.Services {
		var legs []string
		for _, leg := range s.Legs {
			legs = append(legs, "ci-"+leg.Name)
			rules = append(rules, fmt.Sprintf("ci-%s:\n\t$(ARCHBUILD) build %s\n", leg.Name, escapeMake(Quoted(leg.Args))))
		}
		name := "ci-" + s.Name
		services = append(services, name)
		phony = append(append(phony, name), legs...)
		rule := fmt.Sprintf("%s: %s\n", name, strings.Join(legs, " "))
		if !p.together() {
			rule += fmt.Sprintf("\t$(ARCHBUILD) %s\n", escapeMake(Quoted(p.Assemble(s))))
		}
		rules = append(rules, rule)
	}
	fmt.Fprintf(&out, "\nci-assemble: %s\n", strings.Join(services, " "))
	if p.together() {
		fmt.Fprintf(&out, "\t$(ARCHBUILD) %s\n", escapeMake(Quoted(p.assembleAll())))
	}
	fmt.Fprintf(&out, "\n%s\n.PHONY: %s\n", strings.Join(rules, "\n"), strings.Join(phony, " "))
	for _, rule := range rules {
		if strings.Count(rule, "\n") > 2 {
			return nil, &FormatError{rule}
		}
	}
	return out.Bytes(), nil
}

// FormatError says that a job's command has a line break in it, which a rule of make
// has no place for.
type FormatError struct{ Command string }

func (e *FormatError) Error() string {
	return fmt.Sprintf("make cannot run a command with a line break in it: %q", e.Command)
}

// Hint names the other formats.
func (e *FormatError) Hint() string { return "take the line break out, or use --format json" }

// escapeMake keeps make from reading variables into a command.
func escapeMake(command string) string { return strings.ReplaceAll(command, "$", "$$") }
