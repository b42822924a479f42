"""Looking at a Kubernetes cluster through its API, for checks of the kind ``kubernetes``.

What belongs here: which cluster and what lets us in (``cluster``), asking for lists page by page
(``api``), the few fields that matter (``objects``), and one function for each thing that is worth
watching. What does not: fields and bands (``kinds.kubernetes``), anything that changes a cluster.

lightkube reads the kubeconfig. The requests are our own, over aiohttp and msgspec: of each object
the few fields that are looked at are taken from the text, and the rest is skipped. For 5,000 pods
of 3.5 KB that takes 70 to 140 ms of CPU; lightkube, which makes an object of every field (and
refuses one that lacks what it should have), took 420 to 460.
"""
