dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl FRD_YAML - libyaml, which reads the topology file and knows line and column of everything in it.
AC_DEFUN([FRD_YAML],
[FRD_PKG([YAML], [libyaml], [yaml-0.1], [0.2.1], [libyaml-dev], [required], [yaml.h],
    [yaml_parser_t p; yaml_parser_initialize(&p)])])
