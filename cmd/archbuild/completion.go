package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
)

// shells are those that the verb completion knows.
func shells() []string { return []string{"bash", "zsh", "fish"} }

func newCompletion(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "Print a script by which a shell completes verbs, flags and values",
		Long: `Print a script by which a shell completes verbs, flags and values: bash, zsh or fish.

    bash   with the package bash-completion: put the script into /etc/bash_completion.d/archbuild
           or ~/.local/share/bash-completion/completions/archbuild
    zsh    put it as _archbuild into a folder of $fpath, before compinit runs
    fish   put it into ~/.config/fish/completions/archbuild.fish

What is completed is found in the Dockerfile on the line and in the program itself:
no engine is started and no registry asked.`,
		Example: `  archbuild completion bash > ~/.local/share/bash-completion/completions/archbuild
  source <(archbuild completion bash)`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch out := ui.Exact(c.OutOrStdout()); args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return usageError{fmt.Errorf("no completion for %s%s", args[0], didYouMean(nearest.Word(args[0], shells()))), c.CommandPath()}
		},
	}
}

// completeAll tells how the arguments and flags of every verb are completed. It
// goes by what --help says of each, so that a new flag need not be added here.
func completeAll(c *cobra.Command) {
	c.ValidArgsFunction = completeArgs
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() == "bool" {
			return
		}
		// An error would say that the flag has one already.
		_ = c.RegisterFlagCompletionFunc(f.Name, completeFlag(f))
	})
	for _, verb := range c.Commands() {
		completeAll(verb)
	}
}

// completeArgs goes by the word in the verb's first line: PATH is a folder. What is built may be a file as well, that of a project.
func completeArgs(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	_, wants, _ := strings.Cut(c.Use, " ")
	switch {
	case wants == "SHELL" && len(args) == 0:
		return matching(shells(), typed), cobra.ShellCompDirectiveNoFileComp
	case wants == "[VERB]":
		return completeVerb(c.Root(), args, typed), cobra.ShellCompDirectiveNoFileComp
	case c.Parent() == nil && len(args) == 0 && slices.ContainsFunc(c.Commands(), func(v *cobra.Command) bool { return strings.HasPrefix(v.Name(), typed) }):
		return nil, cobra.ShellCompDirectiveNoFileComp // verbs, which cobra itself adds
	case c.Parent() == nil:
		return nil, cobra.ShellCompDirectiveDefault
	case strings.HasSuffix(wants, "PATH..."), wants == "PATH" && len(args) == 0:
		return nil, cobra.ShellCompDirectiveFilterDirs
	case wants == "" || !strings.HasSuffix(wants, "...") && len(args) >= len(strings.Fields(wants)):
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

// completeVerb is for help.
func completeVerb(c *cobra.Command, args []string, typed string) []cobra.Completion {
	if len(args) > 0 {
		c, _, _ = c.Find(args)
	}
	var names []string
	for _, verb := range c.Commands() {
		if !verb.Hidden {
			names = append(names, verb.Name()+"\t"+verb.Short)
		}
	}
	return matching(names, typed)
}

// completeFlag goes by the name that --help gives the flag's value, and by the
// words that it lists.
func completeFlag(f *pflag.Flag) cobra.CompletionFunc {
	value, usage := pflag.UnquoteUsage(f)
	return func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch value {
		case "FILE":
			return nil, cobra.ShellCompDirectiveDefault
		case "FOLDER":
			return nil, cobra.ShellCompDirectiveFilterDirs
		case "PLATFORM":
			return matching(platforms(), typed), cobra.ShellCompDirectiveNoFileComp
		case "PLATFORMS":
			return matching(afterComma(platforms(), typed), typed), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		case "STAGE":
			return matching(stageNames(c, args), typed), cobra.ShellCompDirectiveNoFileComp
		case "OUTPUT":
			return matching(outputTypes(usage), typed), cobra.ShellCompDirectiveNoSpace
		case "CACHE", "ATTESTATION":
			return matching(typesIn.FindAllString(usage, -1), typed), cobra.ShellCompDirectiveNoSpace
		}
		if f.Name == "builder" {
			system := outside.System{Environ: os.Environ()}
			return matching(system.Buildx().Names(), typed), cobra.ShellCompDirectiveNoFileComp
		}
		if words := wordsIn(f.Usage); len(words) > 0 {
			return matching(words, typed), cobra.ShellCompDirectiveNoFileComp
		}
		if strings.HasSuffix(value, "=FOLDER") || value == "SECRET" {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// matching are the candidates that begin with what is typed.
func matching(candidates []string, typed string) []cobra.Completion {
	var out []cobra.Completion
	for _, c := range candidates {
		if strings.HasPrefix(c, typed) {
			out = append(out, c)
		}
	}
	return out
}

// platforms are those that images can be built for.
func platforms() []string {
	var names []string
	for _, p := range platform.All() {
		if p.OS == "linux" {
			names = append(names, p.String())
		}
	}
	return names
}

// afterComma puts before each candidate what is typed up to the last comma, and
// leaves out those that are there.
func afterComma(candidates []string, typed string) []string {
	at := strings.LastIndexByte(typed, ',') + 1
	there := strings.Split(typed[:at], ",")
	var out []string
	for _, c := range candidates {
		if !slices.Contains(there, c) {
			out = append(out, typed[:at]+c)
		}
	}
	return out
}

// stageNames are those of the Dockerfile that the line names.
func stageNames(c *cobra.Command, args []string) []string {
	opts := archbuild.Options{Paths: args}
	if f := c.Flags().Lookup("file"); f != nil {
		opts.File = f.Value.String()
	}
	return opts.StageNames()
}

// outputTypes are the types of -o.
func outputTypes(usage string) []string {
	_, list, _ := strings.Cut(usage, "type=")
	list, _, _ = strings.Cut(list, ",")
	var out []string
	for name := range strings.SplitSeq(list, "|") {
		if name != "" {
			out = append(out, "type="+name)
		}
	}
	return out
}

// typesIn are the types in the help of a flag that takes one of several.
var typesIn = regexp.MustCompile(`type=[a-z]+`)

// listed is where a flag's help lists the words that it takes: after the name of
// its value, as in "a `MODE`: auto, off (default auto)".
var listed = regexp.MustCompile("`(?:MODE|TYPE|PROFILE|METHOD|LEVEL|PRIVILEGE)`(?: that [a-zA-Z ]+)?:? ([a-z0-9=|.]+(?:(?:,| or|, or) [a-z0-9=|.]+)*)")

// wordsIn are the words that a flag's help lists.
func wordsIn(usage string) []string {
	found := listed.FindStringSubmatch(usage)
	if found == nil {
		return nil
	}
	return strings.Fields(strings.ReplaceAll(strings.ReplaceAll(found[1], " or ", " "), ",", " "))
}
