"""The pages: server-rendered, usable without JavaScript, in Korean and English.

Belongs here: how things are shown and asked for. One module and one template folder per noun
(`incidents.py`, `templates/incidents/`), signing in, what holds every page together (language,
words for states, sentences for audit entries, the live stream) and `api/` for programs.

Does not belong here: a decision. A page reads what the stores say and hands a person's wish to the
package whose wish it is; who may do what is asked of `access`, and a page only leaves out what
would be refused anyway. Nothing in here owns a loop or a clock of its own.
"""
