// Package commands is the command line of todo.
package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
)

type item struct {
	Text string    `json:"text"`
	Done time.Time `json:"done"`
}

// Root is the whole command line.
func Root() *cobra.Command {
	var file string
	root := &cobra.Command{Use: "todo", Short: "Keep a list of things to do", SilenceUsage: true}
	root.PersistentFlags().StringVar(&file, "file", "todo.json", "where the list lies")
	root.AddCommand(
		&cobra.Command{Use: "add TEXT", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			return change(file, func(list []item) []item { return append(list, item{Text: args[0]}) })
		}},
		&cobra.Command{Use: "list", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := read(file)
			for i, it := range list {
				fmt.Fprintln(cmd.OutOrStdout(), i+1, it.Text)
			}
			return err
		}},
		&cobra.Command{Use: "fetch URL", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			return fetch(file, args[0])
		}},
	)
	return root
}

func fetch(file, url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var more []item
	if err := json.NewDecoder(answer.Body).Decode(&more); err != nil {
		return err
	}
	return change(file, func(list []item) []item { return append(list, more...) })
}

func read(file string) ([]item, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []item
	return list, json.Unmarshal(data, &list)
}

func change(file string, edit func([]item) []item) error {
	list, err := read(file)
	if err != nil {
		return err
	}
	data, err := json.Marshal(edit(list))
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
