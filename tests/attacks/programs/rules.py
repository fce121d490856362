"""Changing the saved rules while the session runs, then connecting."""
import json, os, subprocess, sys

folder, hallpass = os.environ["XDG_CONFIG_HOME"] + "/hallpass", sys.argv[8]
os.makedirs(folder, exist_ok=True)
if os.environ.get("HALLPASS"):
    with open(folder + "/rules.json", "w") as file:
        json.dump({"version": 1, "default": "allow", "rules": [{"do": "allow", "to": ["@any"]}]}, file)
    os.chmod(folder + "/rules.json", 0o600)
    for words in ["rules", "reload"], ["rules", "add", "allow", "@loopback"], ["release"]:
        subprocess.run([hallpass, *words], capture_output=True)
os.execv(sys.argv[7], [sys.argv[7], "tcp", *sys.argv[2:7], "-"])
