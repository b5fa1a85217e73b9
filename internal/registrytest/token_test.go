package registrytest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/archbuild/archbuild/internal/registrytest"
)

func TestTokens(t *testing.T) {
	w := newWorld(t, Memory)
	w.Set(Config{Auth: &Auth{User: "me", Password: "secret", Life: time.Second}})
	get := func(token string) (int, string) {
		status, header, _, err := do(http.MethodGet, w.blobs+w.layer, nil, "Authorization", "Bearer "+token)
		if err != nil {
			t.Fatal(err)
		}
		return status, header.Get("WWW-Authenticate")
	}
	status, challenge := get("")
	want := fmt.Sprintf(`Bearer realm="http://%s/token",service="registrytest",scope="repository:app:pull",error="invalid_token"`, w.Proxy.Addr)
	if status != 401 || challenge != want {
		t.Errorf("%d, %s", status, challenge)
	}
	if token := w.token(t, "me", "wrong", "repository:app:pull"); token != "" {
		t.Error("a wrong password gets a token")
	}
	if status, challenge = get(w.token(t, "me", "secret", "repository:other:pull,push")); status != 401 || !strings.Contains(challenge, "insufficient_scope") {
		t.Errorf("a token for another repository: %d, %s", status, challenge)
	}
	token := w.token(t, "me", "secret", "repository:app:pull")
	if status, _ = get(token); status != 200 {
		t.Errorf("the right token: %d", status)
	}
	if status, _, _, _ = do(http.MethodPost, w.blobs+"uploads/", nil, "Authorization", "Bearer "+token); status != 401 {
		t.Errorf("a token for reading starts an upload: %d", status)
	}
	time.Sleep(1100 * time.Millisecond)
	if status, _ = get(token); status != 401 {
		t.Errorf("the token after its life: %d", status)
	}
	c := always(ExpiredToken, BlobGet)
	c.Auth = &Auth{}
	w.Set(c)
	fresh := w.token(t, "", "", "repository:app:pull")
	w.Set(Config{Seed: 9, Script: c.Script, Auth: c.Auth})
	for range 2 {
		if status, _ = get(fresh); status != 401 {
			t.Errorf("a token that was declared expired: %d", status)
		}
	}
}

func (w world) token(t *testing.T, user, password, scope string) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+w.Proxy.Addr+"/token?service=registrytest&scope="+scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(user, password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"token"`
	}
	_ = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Token
}

func TestTheOtherHost(t *testing.T) {
	w := newWorld(t, Debian)
	w.Set(Config{Redirects: true})
	_, header, _, err := do(http.MethodGet, w.blobs+w.layer, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := header.Get("Location")
	if status, _, body, err := do(http.MethodGet, at, nil); status != 200 || sha(body) != w.layer || err != nil {
		t.Errorf("a signed URL: %d, %v", status, err)
	}
	if status, _, _, _ := do(http.MethodGet, strings.TrimSuffix(at, at[len(at)-4:]), nil); status != 403 {
		t.Errorf("a wrong signature: %d", status)
	}
	if leaks := w.Counts().Leaks; len(leaks) > 0 {
		t.Errorf("leaks without credentials: %v", leaks)
	}
	do(http.MethodGet, at, nil, "Authorization", "Bearer x")
	if leaks := w.Counts().Leaks; len(leaks) != 1 || !strings.HasSuffix(leaks[0], w.layer+" with Authorization") {
		t.Errorf("leaks: %v", leaks)
	}
}
