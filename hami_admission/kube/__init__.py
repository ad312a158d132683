"""The API server; nothing else talks to it. Knows paths and protocols, and no decision of ours."""
