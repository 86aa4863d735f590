"""A description without the bodies that are lists beside other bodies of the same operation."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    description = json.load(file)
for item in description["paths"].values():
    for operation in item.values():
        content = operation.get("requestBody", {}).get("content", {})
        if len(content) > 1:
            for media in [media for media, body in content.items() if body["schema"].get("type") == "array"]:
                del content[media]
json.dump(description, sys.stdout)
