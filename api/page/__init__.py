"""The page: what the API tells, for people, in a browser that has signed in with a key.

Server-rendered: `views` read by the same functions as the calls of the API, `templates` show it,
`static` has what a browser loads beside. Imports everything of the API but the application.
"""
