//go:build !linux

package kernel

const userNamespace, mountNamespace = 0, 0

func tryOne(string) trial { return trial{unknown, "this is not Linux"} }

func ofError(err error) trial {
	if err == nil {
		return trial{Verdict: works}
	}
	return trial{unknown, err.Error()}
}
