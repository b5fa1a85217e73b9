package archbuild

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// buildArgs are build arguments by platform; those of the zero platform are everyone's.
type buildArgs map[platform.Platform]map[string]string

func (b buildArgs) set(p platform.Platform, key, value string) {
	if b[p] == nil {
		b[p] = map[string]string{}
	}
	b[p][key] = value
}

// of merges what holds for one platform; its own value wins over everyone's.
func (b buildArgs) of(p platform.Platform) map[string]string {
	merged := map[string]string{}
	maps.Copy(merged, b[platform.Platform{}])
	maps.Copy(merged, b[p])
	return merged
}

// parseBuildArgs reads --build-arg: KEY=VALUE, PLATFORM:KEY=VALUE, or KEY alone
// for the environment's value (left out when the environment has none, as buildx does).
func (o Options) parseBuildArgs() (buildArgs, error) {
	args := buildArgs{}
	for _, text := range o.BuildArgs {
		key, value, given := strings.Cut(text, "=")
		p, key, err := splitPlatform(key)
		if err != nil {
			return nil, &wrong.Usage{fmt.Errorf("--build-arg %s: %w", key, err), wrong.Hint(err)}
		}
		if key == "" {
			return nil, &wrong.Usage{errors.New("--build-arg: an argument has no name"), "write --build-arg KEY=VALUE"}
		}
		if !given {
			if value, given = o.lookupEnv(key); !given {
				continue
			}
		}
		args.set(p, key, value)
	}
	if epoch := o.Getenv(sourceDateEpoch); epoch != "" {
		if _, said := args[platform.Platform{}][sourceDateEpoch]; !said {
			args.set(platform.Platform{}, sourceDateEpoch, epoch)
		}
	}
	return args, nil
}

// splitPlatform takes the platform off "linux/arm64:KEY".
func splitPlatform(key string) (platform.Platform, string, error) {
	before, after, found := strings.Cut(key, ":")
	if !found || !strings.Contains(before, "/") {
		return platform.Platform{}, key, nil
	}
	p, err := platform.Parse(before)
	return p, after, err
}

// parseLabels reads --label: KEY=VALUE, or KEY alone for an empty value.
func parseLabels(list []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, text := range list {
		key, value, _ := strings.Cut(text, "=")
		if key == "" {
			return nil, &wrong.Usage{fmt.Errorf("--label %q has no name", text), "write --label NAME=VALUE"}
		}
		labels[key] = value
	}
	return labels, nil
}

// parseSecrets reads --secret: id=ID[,src=FILE|,env=VARIABLE][,type=file|env].
func parseSecrets(list []string) ([]builder.Secret, error) {
	var secrets []builder.Secret
	for _, text := range list {
		var s builder.Secret
		typ, source := "", ""
		for _, field := range strings.Split(text, ",") {
			key, value, _ := strings.Cut(field, "=")
			switch strings.ToLower(key) {
			case "id":
				s.ID = value
			case "src", "source":
				source = value
			case "env":
				s.Env = value
			case "type":
				typ = value
			default:
				return nil, secretError(text, fmt.Errorf("unknown key %q", key))
			}
		}
		switch typ {
		case "", "file":
			s.File = source
		case "env":
			if source != "" {
				s.Env = source
			}
		default:
			return nil, secretError(text, fmt.Errorf("unknown type %q", typ))
		}
		if s.ID == "" {
			return nil, secretError(text, fmt.Errorf("no id"))
		}
		secrets = append(secrets, s)
	}
	return secrets, nil
}

func secretError(text string, err error) error {
	// Only the keys are shown: a value may be the secret itself.
	var keys []string
	for _, field := range strings.Split(text, ",") {
		key, _, _ := strings.Cut(field, "=")
		keys = append(keys, key)
	}
	return &wrong.Usage{fmt.Errorf("--secret %s=…: %w", strings.Join(keys, "=…,"), err), "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE"}
}
