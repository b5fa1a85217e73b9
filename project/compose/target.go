package compose

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/transform"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
)

// broken makes the target of a service that is built and requires variables that nobody has set.
func (l *files) broken(s *service) (project.Target, bool) {
	_, place := s.required["build.context"]
	if len(s.required) == 0 || !place && !s.has("build") {
		return project.Target{}, false
	}
	return project.Target{Name: s.name, At: s.at, Image: s.text("image"), Broken: s.missing()}, true
}

// target makes the target of a service; false is a service that has no build.
func (l *files) target(projectName string, s *service, m *model, env map[string]string) (project.Target, bool) {
	given, ok := s.values["build"].(map[string]any)
	if !ok {
		return project.Target{}, false
	}
	bake, _ := given["x-bake"].(map[string]any)
	b, err := decode(given)
	if err != nil {
		l.fail(s.place("build"), "compare it with https://docs.docker.com/reference/compose-file/build/", "build of service %s: %v", s.name, err)
		return project.Target{}, true
	}
	t := project.Target{
		Name: s.name, At: s.at, Places: map[string]project.Place{},
		Context: b.Context, Dockerfile: b.Dockerfile, Inline: b.DockerfileInline, Stage: b.Target,
		Args: l.args(b.Args, env), Labels: labels(b.Labels), Image: s.text("image"),
		Platforms: join(b.Platforms, bake["platforms"]), CacheFrom: join(b.CacheFrom, bake["cache-from"]), CacheTo: join(b.CacheTo, bake["cache-to"]),
		Outputs: texts(bake["output"]), NoCacheFilter: join(b.NoCacheFilter, bake["no-cache-filter"]),
		Attests: attests(b), Allow: slices.Clone(b.Entitlements), Ulimits: ulimits(b), ExtraHosts: b.ExtraHosts.AsList("="),
		Network: b.Network, NoCache: b.NoCache, Pull: b.Pull,
	}
	slices.Sort(t.ExtraHosts)
	if b.Privileged && !slices.Contains(t.Allow, insecure) {
		t.Allow = append(t.Allow, insecure)
	}
	if b.ShmSize > 0 {
		t.ShmSize = strconv.FormatInt(int64(b.ShmSize), 10)
	}
	if no, is := bake["no-cache"].(bool); is {
		t.NoCache = no
	}
	if pull, is := bake["pull"].(bool); is {
		t.Pull = pull
	}
	l.names(&t, projectName, s, b, bake)
	l.contexts(&t, s, b, bake)
	l.reach(&t, s, m, b, bake)
	l.checked(t, s)
	if at := s.place("platform"); s.has("platform") && len(t.Platforms) == 0 {
		l.note(at, "platform: %s is where service %s runs; for what it is built, build.platforms or --platform says", s.text("platform"), s.name)
	}
	return t, true
}

// insecure is the entitlement of a step that has all the rights of the node's machine.
const insecure = "security.insecure"

// decode reads a build as compose-go does, all short forms made long.
func decode(given map[string]any) (*types.BuildConfig, error) {
	build := clone(given).(map[string]any)
	delete(build, "x-bake")
	long, err := transform.Canonical(map[string]any{"services": map[string]any{"x": map[string]any{"build": build}}}, false)
	if err != nil {
		return nil, err
	}
	var made struct {
		Build *types.BuildConfig `yaml:"build"`
	}
	err = loader.Transform(long["services"].(map[string]any)["x"], &made)
	return made.Build, err
}

// names are what the image is called: by image:, by tags:, and without either by project and service.
func (l *files) names(t *project.Target, projectName string, s *service, b *types.BuildConfig, bake map[string]any) {
	if t.Image != "" {
		t.Tags = []string{t.Image}
		t.Places["image"] = s.place("image")
		t.Places["tags "+t.Image] = s.place("image")
	} else {
		t.Image = projectName + "-" + s.name
	}
	for _, tag := range join(b.Tags, bake["tags"]) {
		if slices.Contains(t.Tags, tag) {
			continue
		}
		t.Tags = append(t.Tags, tag)
		for _, path := range []string{"build.tags", "build.x-bake.tags", "build.tags[" + tag + "]", "build.x-bake.tags[" + tag + "]"} {
			if at, known := s.places[path]; known {
				t.Places["tags "+tag] = at
			}
		}
	}
	for _, key := range []string{"context", "dockerfile", "target", "platforms", "tags", "output", "secret", "ssh", "cache-from", "cache-to"} {
		own := map[string]string{"secret": "secrets", "cache-from": "cache_from", "cache-to": "cache_to"}[key]
		for _, path := range []string{"build.x-bake." + key, "build." + cmp.Or(own, key)} {
			if at, known := s.places[path]; known {
				t.Places[key] = at
			}
		}
	}
	if _, inline := s.places["build.dockerfile_inline"]; inline && t.Inline != "" {
		t.Places["dockerfile"] = s.place("build.dockerfile_inline")
	}
}

// contexts are the named ones; service:NAME is another target.
func (l *files) contexts(t *project.Target, s *service, b *types.BuildConfig, bake map[string]any) {
	values, from := map[string]string{}, map[string]string{}
	for name, value := range b.AdditionalContexts {
		values[name], from[name] = value, "build.additional_contexts."+name
	}
	more, _ := bake["contexts"].(map[string]any)
	for name, value := range more {
		values[name], from[name] = one(value), "build.x-bake.contexts."+name
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		if of, is := strings.CutPrefix(value, types.ServicePrefix); is {
			value = "target:" + of
		}
		t.Contexts = append(t.Contexts, project.NamedContext{Name: name, Value: value, At: s.place(from[name])})
		l.taken(value, s.place(from[name]), "the context "+name)
	}
}

// reach are the things of this machine that the build is given: secrets and SSH.
func (l *files) reach(t *project.Target, s *service, m *model, b *types.BuildConfig, bake map[string]any) {
	for _, given := range b.Secrets {
		at := s.place("build.secrets")
		if text, ok := l.secret(given, s, m, at); ok {
			t.Secrets = append(t.Secrets, text)
		}
		t.Broken = errors.Join(t.Broken, m.secrets[given.Source].required)
	}
	t.Secrets = join(t.Secrets, bake["secret"])
	for _, key := range b.SSH {
		text := key.ID
		if key.Path != "" {
			text += "=" + key.Path
		}
		t.SSH = append(t.SSH, text)
	}
	slices.Sort(t.SSH)
	t.SSH = join(t.SSH, bake["ssh"])
	if !l.Foreign || l.Tree != nil {
		return
	}
	l.allowed(t.Context, s.place("build.context"), "the context")
	if len(t.SSH) > 0 {
		l.fail(s.place("build.ssh"), trustIt, "service %s asks for SSH, and nobody vouches for the project", s.name)
	}
	if more := texts(bake["secret"]); len(more) > 0 {
		l.fail(s.place("build.x-bake.secret"), trustIt, "service %s asks for a secret, and nobody vouches for the project", s.name)
	}
}

// secret is one as --secret takes it: its name, and where the value is.
func (l *files) secret(given types.ServiceSecretConfig, s *service, m *model, at project.Place) (string, bool) {
	found, known := m.secrets[given.Source]
	id := given.Source
	if given.Target != "" {
		id = given.Target
	}
	switch {
	case !known:
		l.fail(at, fmt.Sprintf("add it: secrets: {%s: {file: PATH}}", given.Source), "service %s names the secret %q, which secrets: does not have", s.name, given.Source)
	case found.required != nil:
	case found.external || found.file == "" && found.environment == "":
		l.fail(found.at, "give it a file: or an environment:", "secret %s has no value that a build can read", given.Source)
	case found.environment != "" && l.Foreign && l.Tree == nil:
		l.fail(found.at, trustIt, "secret %s takes from the environment, and nobody vouches for the project", given.Source)
	case found.environment != "":
		return fields("id="+id, "env="+found.environment), true
	case l.taken(found.file, found.at, "the secret "+given.Source):
		return fields("id="+id, "src="+found.file), true
	}
	return "", false
}

// fields joins parts as flags take them: those with a comma are in quotes.
func fields(parts ...string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if w.Write(parts) != nil {
		return strings.Join(parts, ",")
	}
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// args are build arguments; one without a value has the environment's, or none.
func (l *files) args(given types.MappingWithEquals, env map[string]string) map[string]*string {
	args := map[string]*string{}
	for name, value := range given {
		if found, set := env[name]; set && value == nil {
			value = &found
		}
		if value != nil {
			args[name] = value
		}
	}
	return args
}

func labels(given types.Labels) map[string]*string {
	made := map[string]*string{}
	for name, value := range given {
		made[name] = &value
	}
	return made
}

// attests are provenance: and sbom: as --attest takes them.
func attests(b *types.BuildConfig) []string {
	var made []string
	for _, a := range []struct{ kind, text string }{{"provenance", b.Provenance}, {"sbom", b.SBOM}} {
		switch yes, err := strconv.ParseBool(a.text); {
		case a.text == "":
		case err != nil:
			made = append(made, "type="+a.kind+","+a.text)
		case yes:
			made = append(made, "type="+a.kind)
		default:
			made = append(made, "type="+a.kind+",disabled=true")
		}
	}
	return made
}

func ulimits(b *types.BuildConfig) []string {
	var made []string
	for _, name := range slices.Sorted(maps.Keys(b.Ulimits)) {
		u := b.Ulimits[name]
		soft, hard := u.Soft, u.Hard
		if u.Single != 0 {
			soft, hard = u.Single, u.Single
		}
		made = append(made, fmt.Sprintf("%s=%d:%d", name, soft, hard))
	}
	return made
}

// join puts what x-bake has behind what the build has, each once.
func join(own []string, more any) []string {
	var made []string
	for _, text := range slices.Concat(own, texts(more)) {
		if !slices.Contains(made, text) {
			made = append(made, text)
		}
	}
	return made
}

// checked fails for values that are empty or broken, and says of which variable that comes.
func (l *files) checked(t project.Target, s *service) {
	check := func(path, what, value string, err error) {
		if err == nil {
			return
		}
		at, hint := s.place(path), "correct it"
		variable, is := s.unset[path]
		if is {
			hint = l.setVariable(variable)
			l.fail(at, hint, "%s of service %s is %q without the variable %s: %v", what, s.name, value, variable, err)
			return
		}
		l.fail(at, hint, "%s of service %s is %q: %v", what, s.name, value, err)
	}
	if t.Image != "" && s.has("image") {
		_, err := reference.ParseNormalizedNamed(t.Image)
		check("image", "image", t.Image, err)
	}
	if variable, is := s.unset["image"]; is && !s.has("image") || is && s.text("image") == "" {
		l.fail(s.place("image"), l.setVariable(variable), "image of service %s is empty without the variable %s", s.name, variable)
	}
	for _, key := range []string{"context", "dockerfile", "target"} {
		path := "build." + key
		build, _ := s.values["build"].(map[string]any)
		if variable, is := s.unset[path]; is && one(build[key]) == "" {
			l.fail(s.place(path), l.setVariable(variable), "%s of service %s is empty without the variable %s", key, s.name, variable)
		}
	}
	for _, tag := range t.Tags {
		if tag == t.Image {
			continue
		}
		_, err := reference.ParseNormalizedNamed(tag)
		path := "build.tags[" + tag + "]"
		if _, own := s.places[path]; !own {
			path = "build.x-bake.tags[" + tag + "]"
		}
		check(path, "a tag", tag, err)
	}
	for _, p := range t.Platforms {
		_, err := platform.Parse(p)
		path := "build.platforms[" + p + "]"
		if _, own := s.places[path]; !own {
			path = "build.x-bake.platforms[" + p + "]"
		}
		check(path, "a platform", p, err)
	}
}
