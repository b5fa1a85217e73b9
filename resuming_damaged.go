package archbuild

import (
	"context"
	"errors"
	"fmt"
)

// heal looks, after something has failed, whether blobs in the content store are not what
// their names say: a disk can do that. They are removed, for as long as they are there
// no node sends them again, and each run would fail the same way.
func (m *making) heal(ctx context.Context, failed error) {
	if failed == nil || ctx.Err() != nil || errors.As(failed, new(interface{ ExitStatus() int })) {
		return
	}
	for _, b := range m.built {
		if b.Err != nil || b.Descriptor.Digest == "" {
			continue
		}
		for _, blob := range m.store.Damaged(b.Descriptor) {
			if !m.store.Remove(blob) {
				continue
			}
			fmt.Fprintf(m.warn(), "archbuild: warning: %s was damaged in the content store, and is removed there\n", blob)
			fmt.Fprintf(m.warn(), "archbuild: hint: run it again: %s is built once more\n", b.Platform)
		}
	}
}
