// Package nodes says what a node is: a BuildKit server that builds for some
// platforms, where it is, and what it can do.
//
// A node comes from one of four places, and all of them become a Spec:
//
//	--node ADDRESS[,KEY=VALUE…]      Parse
//	BUILDKIT_HOST                    ParseAddress
//	nodes: in the user's own file    Load
//	a builder of buildx's            ReadBuilder
//
// A file that comes with the source never names a node: who can change a
// repository could otherwise choose where passwords and secrets go.
//
// # Addresses
//
//	engine                                       archbuild's own engine
//	unix:///FOLDER/SOCKET                        a socket of this machine
//	tcp://HOST:PORT                              with TLS: cacert=, cert=, key=
//	ssh://[USER@]HOST[:PORT][/FOLDER/SOCKET]     ssh runs `buildctl dial-stdio` there
//	docker-container://NAME[?context=NAME]       docker exec does
//	podman-container://NAME                      podman exec does
//	nerdctl-container://NAME[?namespace=NAME]    nerdctl exec does
//	kube-pod://POD[?context=…&namespace=…&container=…]
//
// Most of them end as an argument of another program, ssh's even as a word of
// a shell on the other machine. So each part has a narrow alphabet, none begins
// with a hyphen, and what BuildKit's client would read otherwise than it looks
// (escapes, queries, fragments) is refused.
//
// # Keys
//
//	platform=linux/arm64+linux/arm/v7   what the node is native for, as its owner says
//	weight=2                            twice as much work as a node of weight 1; 1 unless said
//	name=arm                            how messages call it
//	jobs=4                              platforms that are built there at once
//	passwords=registry.example          user and password of this registry may be given to the node; else it gets tokens alone
//	cacert=FILE cert=FILE key=FILE      TLS: who vouches for the server; this side's certificate and key
//	servername=NAME                     the name in the server's certificate, if it is not the host's
//	tlsdir=FOLDER                       ca.pem, cert.pem, key.pem (or ca.crt, tls.crt, tls.key) in one folder
package nodes
