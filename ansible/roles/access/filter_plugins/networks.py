"""Tells networks from what only looks like one."""

import ipaddress


def not_networks(given):
    """Those of the list that are no network, or have bits beyond their mask."""
    wrong = []
    for each in given:
        try:
            ipaddress.ip_network(each)
        except ValueError:
            wrong.append(each)
    return wrong


class FilterModule:
    def filters(self):
        return {"not_networks": not_networks}
