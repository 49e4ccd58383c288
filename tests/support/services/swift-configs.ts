/** The servers that keep something. */
export type Server = 'account' | 'container' | 'object';

interface Place {
  folder: string;
  user: string;
  port: number;
}

/** What all of Swift's servers share. */
export function swiftConfig(): string {
  return `[swift-hash]
swift_hash_path_prefix = tierkv
swift_hash_path_suffix = tests
[storage-policy:0]
name = only
default = yes
`;
}

export function serverConfig(name: Server, place: Place): string {
  return `${defaults(place)}devices = ${place.folder}/devices
mount_check = false
disable_fallocate = true
[pipeline:main]
pipeline = ${name}-server
[app:${name}-server]
use = egg:swift#${name}
`;
}

/** With the S3 API, and one user: key `test:tester`, secret `testing-secret`. */
export function proxyConfig(place: Place & { memcached: number }): string {
  return `${defaults(place)}[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# One slow answer on a loaded machine must not make the only disk count as broken.
error_suppression_limit = 1000000
node_timeout = 30
conn_timeout = 10
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing-secret .admin
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${place.memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
`;
}

/** Without workers there are no children: who ends the process ends all of it. Nothing goes to the system's log. */
function defaults({ folder, user, port }: Place): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${user}
swift_dir = ${folder}
log_udp_host = 127.0.0.1
log_udp_port = 1
`;
}
