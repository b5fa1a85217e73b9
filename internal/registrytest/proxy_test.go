package registrytest_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/archbuild/archbuild/internal/registrytest"
)

// always orders one fault for the first request of one class.
func always(f Fault, class Class) Config {
	done := false
	return Config{Script: func(a Ask) Fault {
		if a.Class != class || done {
			return ""
		}
		done = true
		return f
	}}
}

// do asks and gives the status, the headers and what could be read of the body.
func do(method, at string, body []byte, headers ...string) (int, http.Header, []byte, error) {
	request, err := http.NewRequest(method, at, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	// The transport follows no redirect; and on a new connection it does not repeat a request by itself.
	alone := &http.Transport{DisableKeepAlives: true}
	response, err := alone.RoundTrip(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, data, err
}

type world struct {
	*Registry
	*Proxy
	content *Content
	layer   string // a digest
	blobs   string // URL of the repository's blobs at the proxy
}

func newWorld(t *testing.T, kind Kind) world {
	t.Helper()
	r := Start(t, kind)
	c := Index(Options{Platforms: []string{"linux/amd64", "linux/arm64"}, Layers: []int{4000}, Seed: 1})
	c.Push(t, r.Addr, "app", "1")
	p := NewProxy(t, r, Config{})
	node, wrong := Read(r.Addr, "app", "1")
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	return world{r, p, c, node.Children[0].Layers[0].Digest, "http://" + p.Addr + "/v2/app/blobs/"}
}

func TestFaultsOfReading(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			whole := w.content.Blobs[w.layer]
			for _, row := range []struct {
				fault Fault
				want  func(status int, header http.Header, body []byte, err error) bool
			}{
				{Timeout, func(s int, _ http.Header, _ []byte, err error) bool { return s == 408 && err == nil }},
				{TooMany, func(s int, h http.Header, _ []byte, err error) bool {
					return s == 429 && h.Get("Retry-After") == "0" && err == nil
				}},
				{Internal, func(s int, _ http.Header, _ []byte, err error) bool { return s == 500 && err == nil }},
				{BadGateway, func(s int, _ http.Header, _ []byte, err error) bool { return s == 502 && err == nil }},
				{Unavailable, func(s int, _ http.Header, _ []byte, err error) bool { return s == 503 && err == nil }},
				{GatewayTimeout, func(s int, _ http.Header, _ []byte, err error) bool { return s == 504 && err == nil }},
				{ResetBefore, func(_ int, _ http.Header, _ []byte, err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
				{AnswerLost, func(_ int, _ http.Header, _ []byte, err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
				{ResetResponse, func(s int, _ http.Header, b []byte, err error) bool {
					return s == 200 && len(b) < len(whole) && err != nil
				}},
				{CutBody, func(s int, _ http.Header, b []byte, err error) bool {
					return s == 200 && bytes.Equal(b, whole[:len(whole)/2]) && errors.Is(err, io.ErrUnexpectedEOF)
				}},
				{ShortBody, func(s int, _ http.Header, b []byte, err error) bool {
					return s == 200 && bytes.Equal(b, whole[:len(whole)/2]) && err == nil
				}},
				{WrongBytes, func(s int, _ http.Header, b []byte, err error) bool {
					return s == 200 && len(b) == len(whole) && !bytes.Equal(b, whole) && err == nil
				}},
				{Drip, func(s int, _ http.Header, b []byte, err error) bool {
					return s == 200 && bytes.Equal(b, whole) && err == nil
				}},
				{Redirect, func(s int, h http.Header, _ []byte, err error) bool {
					return s == 307 && !strings.Contains(h.Get("Location"), w.Proxy.Addr) && err == nil
				}},
			} {
				w.Set(Config{Script: func(Ask) Fault { return row.fault }})
				w.Forget()
				status, header, body, err := do(http.MethodGet, w.blobs+w.layer, nil)
				if !row.want(status, header, body, err) {
					t.Errorf("%s: %d, %d of %d bytes, %v", row.fault, status, len(body), len(whole), err)
				}
				if got := w.Counts().Faults; !cmp.Equal(got, map[Fault]int{row.fault: 1}) {
					t.Errorf("%s is counted as %v", row.fault, got)
				}
			}
		})
	}
}

func TestFaultsOfWriting(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)

			w.Set(always(FalseMissing, BlobHead))
			for _, want := range []int{404, 200} {
				if status, _, _, err := do(http.MethodHead, w.blobs+w.layer, nil); status != want || err != nil {
					t.Errorf("HEAD: %d, %v, want %d", status, err, want)
				}
			}

			// The registry has what it said to nobody.
			w.Set(always(AnswerLost, ManifestPut))
			at := "http://" + w.Proxy.Addr + "/v2/app/manifests/lost"
			if _, _, _, err := do(http.MethodPut, at, w.content.Manifests[w.content.Root.Digest], "Content-Type", w.content.Root.MediaType); err == nil {
				t.Error("the answer came")
			}
			if got, err := Digest(w.Registry.Addr, "app", "lost"); got != w.content.Root.Digest || err != nil {
				t.Errorf("the lost tag is %q, %v", got, err)
			}

			w.Set(always(ResetRequest, UploadPut))
			data := bytes.Repeat([]byte("0123456789"), 1000)
			if err := w.upload(t, data); err == nil {
				t.Error("an upload that was cut off succeeded")
			}
			w.Set(always(Drip, UploadPut))
			if err := w.upload(t, data); err != nil {
				t.Error(err)
			}
			counts := w.Counts()
			want := map[Fault]int{FalseMissing: 1, AnswerLost: 1, ResetRequest: 1, Drip: 1}
			if diff := cmp.Diff(want, counts.Faults); diff != "" {
				t.Error(diff)
			}
			if got := counts.Received[sha(data)]; got != 15000 {
				t.Errorf("%d bytes are counted, want one and a half time 10000", got)
			}
		})
	}
}

// upload sends a blob with POST and PUT.
func (w world) upload(t *testing.T, data []byte) error {
	t.Helper()
	at := w.start(t)
	status, _, body, err := do(http.MethodPut, at+"digest="+sha(data), data)
	if err == nil && status != 201 {
		err = fmt.Errorf("%d: %s", status, body)
	}
	return err
}

// start begins an upload and gives the URL to which the query can be appended.
func (w world) start(t *testing.T) string {
	t.Helper()
	status, header, _, err := do(http.MethodPost, w.blobs+"uploads/", nil)
	if err != nil || status != 202 {
		t.Fatalf("POST: %d, %v", status, err)
	}
	return w.continued(header)
}

func (w world) continued(header http.Header) string {
	at := header.Get("Location")
	if strings.HasPrefix(at, "/") {
		at = "http://" + w.Proxy.Addr + at
	}
	if strings.Contains(at, "?") {
		return at + "&"
	}
	return at + "?"
}

func sha(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

func TestTheSameSeedGivesTheSameFaults(t *testing.T) {
	r := Start(t, Memory)
	content := Index(Options{Platforms: []string{"linux/amd64", "linux/arm64", "linux/riscv64"}, Seed: 7})
	content.Push(t, r.Addr, "app", "1")
	run := func(seed uint64, workers int) map[string]string {
		met := map[string]string{}
		mu := sync.Mutex{}
		p := NewProxy(t, r, Config{Seed: seed, Rates: Rates(0.03), DripFor: time.Millisecond})
		var group sync.WaitGroup
		lines := make(chan string, 100)
		for range workers {
			group.Go(func() {
				for line := range lines {
					method, at, _ := strings.Cut(line, " ")
					for n := range 20 {
						status, _, body, err := do(method, "http://"+p.Addr+at, nil)
						mu.Lock()
						met[fmt.Sprintf("%s #%d", line, n)] = fmt.Sprint(status, status == 200 && sha(body) == path.Base(at), err != nil)
						mu.Unlock()
					}
				}
			})
		}
		for digest := range content.Blobs {
			lines <- "HEAD /v2/app/blobs/" + digest
			lines <- "GET /v2/app/blobs/" + digest
		}
		close(lines)
		group.Wait()
		if seed == 1 && len(p.Counts().Faults) < 10 {
			t.Errorf("only %v happened", p.Counts().Faults)
		}
		return met
	}
	alone, crowded, other := run(1, 1), run(1, 8), run(2, 8)
	if diff := cmp.Diff(alone, crowded); diff != "" {
		t.Error("eight at once met other faults than one:", diff)
	}
	if cmp.Equal(alone, other) {
		t.Error("another seed met the same faults")
	}
}

func TestALineGetsThroughAtLast(t *testing.T) {
	w := newWorld(t, Memory)
	w.Set(Config{Rates: map[Fault]float64{Unavailable: 1}, InRow: 3})
	var got []int
	for range 8 {
		status, _, _, _ := do(http.MethodGet, w.blobs+w.layer, nil)
		got = append(got, status)
	}
	if diff := cmp.Diff([]int{503, 503, 503, 200, 503, 503, 503, 200}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDownIsForGood(t *testing.T) {
	w := newWorld(t, Memory)
	w.Set(Config{DownFrom: 3})
	for n := 1; n < 6; n++ {
		if _, _, _, err := do(http.MethodGet, w.blobs+w.layer, nil); (err != nil) != (n >= 3) {
			t.Errorf("request %d: %v", n, err)
		}
	}
	if got := w.Counts().Refused; got != 3 {
		t.Errorf("%d were refused", got)
	}
	w.Set(Config{})
	if _, _, _, err := do(http.MethodGet, w.blobs+w.layer, nil); err != nil {
		t.Error(err)
	}
}
