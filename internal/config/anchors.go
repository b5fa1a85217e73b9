package config

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// anchorFinder collects &anchors.
type anchorFinder map[string]ast.Node

// Visit implements ast.Visitor.
func (f anchorFinder) Visit(node ast.Node) ast.Visitor {
	if anchor, ok := node.(*ast.AnchorNode); ok {
		f[anchor.Name.GetToken().Value] = anchor.Value
	}
	return f
}

// aliasFinder reports *aliases of anchors that are not there.
type aliasFinder struct{ *reader }

// Visit implements ast.Visitor.
func (f aliasFinder) Visit(node ast.Node) ast.Visitor {
	if alias, ok := node.(*ast.AliasNode); ok {
		if _, known := f.anchors[alias.Value.GetToken().Value]; !known {
			f.fail(place(alias), "an alias (*) without an anchor (&)", quoteStar)
		}
	}
	return f
}

// follow gives the node behind anchors and aliases, as often as the budget lasts.
func (r *reader) follow(node ast.Node) ast.Node {
	for {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			if r.aliases++; r.aliases > maxAliases {
				if r.aliases == maxAliases+1 {
					r.fail(place(n), fmt.Sprintf("more than %d aliases", maxAliases), "write the values out")
				}
				return nil
			}
			node = r.anchors[n.Value.GetToken().Value]
		default:
			return node
		}
	}
}
