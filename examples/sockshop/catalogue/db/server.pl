# Sends the machine and the socks to whoever connects.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

open my $file, '<', '/socks.sql' or die "socks.sql: $!\n";
my @socks = <$file>;
my $machine = (POSIX::uname())[4];

my $server = IO::Socket::INET->new(Listen => 10, LocalPort => $ENV{PORT} || 3306, ReuseAddr => 1) or die "listening: $@\n";
while (my $client = $server->accept) {
    print $client "-- catalogue-db on $machine\n", @socks;
}
