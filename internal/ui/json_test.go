package ui_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/ui"
)

func TestADocumentIsHarmlessAndSaysTheSame(t *testing.T) {
	const hostile = "\x1b[31m\u009b1m\u202e\x7f\r\n::x ##[y] ###vso[z] #\u200d#[ \U000e0041 größe 👩\u200d💻 <a&b>"
	var out strings.Builder
	if err := ui.WriteJSON(&out, map[string]string{"k": hostile}); err != nil {
		t.Fatal(err)
	}
	if through := written(ui.StreamOptions{}, out.String()); through != out.String() {
		t.Errorf("a stream makes of\n%s\nthis\n%s", &out, through)
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back["k"] != hostile {
		t.Errorf("%q, %v", back, err)
	}
	if !strings.Contains(out.String(), "größe 👩\u200d💻 <a&b>") {
		t.Errorf("ordinary text is escaped: %s", &out)
	}
}
