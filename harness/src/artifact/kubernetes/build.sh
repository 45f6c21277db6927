#!/usr/bin/env bash
# Builds Kubernetes from Debian's source package with Debian's Go: build.sh WORK OUT VERSION
#
# WORK keeps downloads and Go's build cache, so that an interrupted build goes on when it is started again. OUT
# appears only when all is in it. APT_CONFIG names the apt configuration to use; the host's own stays untouched.
# Lines that start with "@" tell the caller how far it is: "@say MESSAGE", "@progress DONE TOTAL UNIT MESSAGE".
set -euo pipefail

work=$1 out=$2 version=$3
export GO111MODULE=off CGO_ENABLED=0 GOFLAGS='' GOTOOLCHAIN=local
export GOPATH=$work/gopath GOCACHE=$work/gocache GOTMPDIR=$work/tmp
tree=$GOPATH/src/k8s.io/kubernetes
components=(kubeadm kubelet kube-apiserver kube-controller-manager kube-scheduler kube-proxy)
tags=providerless,dockerless

say() { printf '@say %s\n' "$*"; }

# The lock is inherited by all that is started here: whoever comes next waits even for what a killed Quorate left.
take_lock() {
  mkdir -p "$work"
  exec 9>"$work.lock"
  if ! flock --nonblock 9; then
    say 'waiting for another quorate that builds the same Kubernetes'
    flock 9
    mkdir -p "$work"
  fi
  rm -rf "$work/tmp"
}

download() {
  [ -e "$work/downloads/complete" ] && return
  mkdir -p "$work/downloads"
  cd "$work/downloads"
  local source
  source=$(apt-cache showsrc --only-source kubernetes | sed -n 's/^Version: //p' | grep -F -- "$version-" | head -n 1)
  say "downloading the source package kubernetes $source"
  apt-get --quiet source --download-only "kubernetes=$source"
  apt-get --quiet download golang-github-modern-go-reflect2-dev kubernetes-client
  printf "%s\n" "$version" > complete
}

# reflect2 1.0.1 of the vendor tree panics when it was built with Go 1.18 or later; Debian's package is 1.0.2.
replace_reflect2() {
  local vendored=$tree/vendor/github.com/modern-go/reflect2
  rm -rf "$work/reflect2" "$vendored"
  dpkg -x "$work"/downloads/golang-github-modern-go-reflect2-dev_*.deb "$work/reflect2"
  cp -r "$work/reflect2/usr/share/gocode/src/github.com/modern-go/reflect2" "$vendored"
  find "$vendored" -name '*_test.go' -delete
}

unpack() {
  [ -e "$work/unpacked" ] && return
  say 'unpacking the source package'
  rm -rf "$tree"
  mkdir -p "$tree"
  tar -xzf "$work"/downloads/kubernetes_*.orig.tar.gz -C "$tree" --strip-components=1
  if ! [ -d "$tree/cmd/kube-apiserver" ]; then
    echo "this suite's source package kubernetes has no cmd/kube-apiserver: it carries kubectl's part only" >&2
    exit 1
  fi
  replace_reflect2
  touch "$work/unpacked"
}

# The package lacks the generated OpenAPI definitions, without which kube-apiserver does not compile.
generate_openapi() {
  [ -e "$work/generated" ] && return
  say 'generating the OpenAPI definitions'
  cd "$tree"
  go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  : > "$work/boilerplate"
  local inputs
  inputs=$(grep -rl --include='*.go' '+k8s:openapi-gen=' pkg/apis staging/src/k8s.io/*/ \
    | grep -vE '_test.go|zz_generated|/testdata|sample-|code-generator|/test/' \
    | xargs -n1 dirname | sort -u \
    | sed -E 's#^staging/src/#k8s.io/kubernetes/vendor/#; s#^pkg/#k8s.io/kubernetes/pkg/#' | paste -sd,)
  "$work/openapi-gen" -O zz_generated.openapi -h "$work/boilerplate" -i "$inputs" \
    -p k8s.io/kubernetes/pkg/generated/openapi -o "$GOPATH/src" --report-filename "$work/violations"
  touch "$work/generated"
}

# In GOPATH mode -X wants the vendored import path; with any other, kubeadm does not accept kubelet's version.
linker_flags() {
  local major=${version%%.*} rest=${version#*.} package
  printf -- '-s -w'
  for package in component-base/version client-go/pkg/version; do
    for pair in "gitVersion=v$version" "gitMajor=$major" "gitMinor=${rest%%.*}" gitTreeState=archive; do
      printf -- ' -X k8s.io/kubernetes/vendor/k8s.io/%s.%s' "$package" "$pair"
    done
  done
}

# Go names each package that it compiles. An earlier, interrupted build compiled some already: they are in the list.
compile() {
  cd "$tree"
  say 'counting packages'
  local total seen line
  total=$(go list -deps -tags "$tags" "${components[@]/#/./cmd/}" | wc -l)
  touch "$work/compiled"
  seen=$(wc -l < "$work/compiled")
  mkdir -p "$work/bin"
  go build -v -trimpath -tags "$tags" -ldflags "$(linker_flags)" -o "$work/bin/" "${components[@]/#/./cmd/}" 2>&1 \
    | while IFS= read -r line; do
      if [[ $line =~ ^[a-zA-Z0-9_./-]+$ ]]; then
        printf '%s\n' "$line" >> "$work/compiled"
        seen=$((seen < total ? seen + 1 : total))
        printf '@progress %d %d packages compiling %s\n' "$seen" "$total" "${line##k8s.io/kubernetes/}"
      else
        printf '%s\n' "$line"
      fi
    done
}

finish() {
  rm -rf "$work/client" "$out.part"
  dpkg -x "$work"/downloads/kubernetes-client_*.deb "$work/client"
  install -m 755 "$work/client/usr/bin/kubectl" "$work/bin/kubectl"
  mv "$work/bin" "$out.part"
  sync "$out.part"/*
  mv -T "$out.part" "$out"
  say 'removing what was only needed to build'
  rm -rf "$work"
}

take_lock
[ -d "$out" ] && exit 0
mkdir "$GOTMPDIR"
download
unpack
generate_openapi
compile
finish
