#!/bin/sh
# The last step of a build: an environment that RUNTIME's Python runs, without pip.
set -e
pip uninstall --yes --quiet setuptools pip
# Highlighters of languages that nothing here shows stay as they are: they are large.
python3 -m compileall -q -x /pygments/lexers/ --invalidation-mode unchecked-hash /opt/hami/lib
rm -rf /opt/hami/include /opt/hami/bin/activate* /opt/hami/bin/Activate.ps1
ln -sf /usr/bin/python3 /opt/hami/bin/python3
sed -i 's,^home = .*,home = /usr/bin,; s,^executable = .*,executable = /usr/bin/python3,; /^command/d' /opt/hami/pyvenv.cfg
