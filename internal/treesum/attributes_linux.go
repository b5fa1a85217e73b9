package treesum

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// attributes adds up the extended attributes that count. A file system without them
// has none.
func attributes(path string) (Sum, error) {
	names, err := attributeNames(path)
	if err != nil || len(names) == 0 {
		return Sum{}, err
	}
	sum := sha256.New()
	for _, name := range names {
		value := make([]byte, maxAttribute)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			continue // BuildKit leaves out what it may not read
		}
		sum.Write(appendText(appendText(nil, name), string(value[:n])))
	}
	return Sum(sum.Sum(nil)), nil
}

// maxAttribute is the most that Linux lets an attribute hold.
const maxAttribute = 64 << 10

// attributeNames lists those that count, sorted: the labels of this machine's security
// modules and its access lists do not, as in BuildKit's own digests.
func attributeNames(path string) ([]string, error) {
	size, err := unix.Llistxattr(path, nil)
	if errors.Is(err, unix.ENOTSUP) || size == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]byte, maxAttribute)
	if size, err = unix.Llistxattr(path, list); err != nil {
		return nil, err
	}
	names := strings.FieldsFunc(string(list[:size]), func(r rune) bool { return r == 0 })
	names = slices.DeleteFunc(names, func(name string) bool {
		return name != "security.capability" && (strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "system.")) || strings.HasPrefix(name, "com.apple.")
	})
	slices.Sort(names)
	return names, nil
}
