package archbuild_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/wrong"
)

func TestTheGraphAsText(t *testing.T) {
	amd64, arm64, riscv := platform.MustParse("linux/amd64"), platform.MustParse("linux/arm64"), platform.MustParse("linux/riscv64")
	file := func(name string, line int) project.Place { return project.Place{File: name, Line: line} }
	service := func(name string, line int, taken ...project.Taken) project.Service {
		return project.Service{
			Name: name, At: file("compose.yaml", line), Platforms: []platform.Platform{amd64, arm64},
			Made: []project.Made{{Name: "shop/" + name + ":1", From: "image", At: file("compose.yaml", line+1)}},
			Takes: func(on platform.Platform) ([]project.Taken, error) {
				var list []project.Taken
				for _, t := range taken {
					if t.On == (platform.Platform{}) {
						t.On = on
					}
					if t.Where != "COPY --from" || on == arm64 {
						list = append(list, t)
					}
				}
				return list, nil
			},
		}
	}
	g, err := project.Connect([]project.Service{
		service("web", 2,
			project.Taken{Name: "shop/tools:1", On: riscv, Where: "FROM", At: file("web/Dockerfile", 1)},
			project.Taken{Name: "shop/base:1", Where: "FROM", At: file("web/Dockerfile", 4)},
			project.Taken{Name: "shop/data:1", Where: "COPY --from", At: file("web/Dockerfile", 6)}),
		service("api", 6, project.Taken{Name: "shop/base:2", Where: "FROM", At: file("api/Dockerfile", 1)}),
		service("tools", 12, project.Taken{Name: "shop/base:1", Where: "FROM", At: file("tools/Dockerfile", 1)}),
		service("base", 16), service("lone\x1b[2J", 20), service("data", 24),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := archbuild.WriteGraph(&text, g); err != nil {
		t.Fatal(err)
	}
	want := `
6 services, bases first
#  SERVICE  PLATFORMS                                                STANDS ON                WHERE                         WHY
1  base     linux/amd64, linux/arm64, linux/riscv64 (for its users)  -
2  tools    linux/amd64, linux/arm64, linux/riscv64 (for its users)  base                     FROM tools/Dockerfile:1       its image "shop/base:1" is that of base (image, compose.yaml:17)
3  data     linux/amd64, linux/arm64                                 -
4  web      linux/amd64, linux/arm64                                 tools for linux/riscv64  FROM web/Dockerfile:1         its image "shop/tools:1" is that of tools (image, compose.yaml:13)
                                                                     base                     FROM web/Dockerfile:4         its image "shop/base:1" is that of base (image, compose.yaml:17)
                                                                     data for linux/arm64     COPY --from web/Dockerfile:6  its image "shop/data:1" is that of data (image, compose.yaml:25)
5  api      linux/amd64, linux/arm64                                 -
6  lone     linux/amd64, linux/arm64                                 -
note: api asks for shop/base:2 (api/Dockerfile:1), which comes from a registry: base makes shop/base:1; --link api:shop/base:2=base builds on that one
`
	if text.String() != want[1:] {
		t.Errorf("got\n%s\nwant%s", text.String(), want)
	}
}

func TestAFormatThatThereIsNot(t *testing.T) {
	var usage *wrong.Usage
	if err := archbuild.WriteGraphAs(io.Discard, project.Graph{}, "mermiad"); !errors.As(err, &usage) || !strings.Contains(err.Error(), "did you mean mermaid?") {
		t.Errorf("got %v", err)
	}
}
