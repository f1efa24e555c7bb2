#!/bin/sh
# Makes a certificate authority, a certificate for the receiver and one for CockroachDB, once, for the services of
# docker-compose.yml: `certificates.sh FOLDER NAME`, where NAME is the receiver's host name. Not for production: there
# the receiver's certificate comes from wherever yours come from.
set -eu
folder=$1 name=$2
cd "$folder"
[ -e client.crt ] && exit 0
days=825

new_key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

issue() { # file, common name, extensions
  new_key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"
  printf '%s\n' 'basicConstraints = critical, CA:FALSE' 'keyUsage = critical, digitalSignature' "$3" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" -extfile "$1.ext" -out "$1.crt"
  rm "$1.csr" "$1.ext"
}

umask 077
new_key ca.key
openssl req -x509 -new -key ca.key -days "$days" -subj '/CN=Failback CA' -addext 'keyUsage = critical, keyCertSign, cRLSign' -out ca.crt
issue server "$name" "extendedKeyUsage = serverAuth
subjectAltName = DNS:$name, DNS:localhost, IP:127.0.0.1"
issue client cockroachdb 'extendedKeyUsage = clientAuth'
# Nobody signs with it again.
rm -f ca.key ca.srl
