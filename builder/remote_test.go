package builder_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder"
)

func TestAPasswordInAnAddressIsNotShown(t *testing.T) {
	for _, row := range []struct{ address, want string }{
		{"https://me:swordfish@host/app.git#main", "https://xxxxx@host/app.git#main"},
		{"https://swordfish@host/app.git", "https://xxxxx@host/app.git"},
		{"https://me:sword%zzswordfish@host/app.git", "https://host/app.git"},
		{"https://me:sword/swordfish@host/app.tar", "https://host/app.tar"},
		{"ssh://git@host/app.git", "ssh://git@host/app.git"},
		{"git@host:app.git", "git@host:app.git"},
		{"https://host/app.tar?X-Amz-Signature=swordfish&sort", "https://host/app.tar?X-Amz-Signature=xxxxx&sort"},
		{"https://me:swordfish@host/app.tar?token=sword%2Bfish", "https://xxxxx@host/app.tar?token=xxxxx"},
		{"https://host/app.git?private_token=swordfish&ref=main#x", "https://host/app.git?private_token=xxxxx&ref=main#x"},
		{"https://me:a%zz@host/app.tar?token=swordfish", "https://host/app.tar"},
		{"https://host/app.git?ref=a@b", "https://host/app.git?ref=a@b"},
	} {
		remote := builder.Remote{Address: row.address}
		if got := remote.Shown(); got != row.want {
			t.Errorf("%s is shown as %s, not as %s", row.address, got, row.want)
		}
		if err := remote.Check(); err != nil && strings.Contains(err.Error(), "fish") {
			t.Errorf("%s: %v", row.address, err)
		}
	}
}

func TestAnAddressThatIsNoURLIsRefused(t *testing.T) {
	for _, address := range []string{"https://me:a%zz@host/app.git", "http://me:a/b@host/app.tar"} {
		err := builder.Remote{Address: address}.Check()
		if !errors.As(err, new(*builder.AddressError)) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
