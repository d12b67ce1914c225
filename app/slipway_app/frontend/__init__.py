"""The frontend: one page of plain HTML, CSS and JavaScript, and the way from the browser to the API.

The browser speaks to one origin only, so that neither CORS nor a second host name is needed.
"""
