"""AWS's price list as the test cloud answers for it: moto has none, and the prices are made up.

The form is the one that AWS documents for GetProducts; it was never compared with AWS itself.
"""

import json

USAGE = {"gp3": "EUC1-EBS:VolumeUsage.gp3", "VPCPublicIPv4Address": "EUC1-PublicIPv4:InUseAddress"}
JSON = [("Content-Type", "application/x-amz-json-1.1")]


def answer(prices, asked, start_response):
    """The price of what is asked for: {instance type, "gp3" or "VPCPublicIPv4Address": dollars}."""
    if prices is None:
        start_response("400 Refused", JSON)
        return [json.dumps({"__type": "AccessDeniedException", "message": "made up"}).encode()]
    values = {each["Value"] for each in asked["Filters"]}
    products = [_product(name, price) for name, price in prices.items() if name in values]
    start_response("200 OK", JSON)
    return [json.dumps({"FormatVersion": "aws_v1", "PriceList": products}).encode()]


def _product(name, price):
    attributes = {"usagetype": USAGE.get(name, f"EUC1-BoxUsage:{name}")}
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.10f}"}}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": dimension}}}}
    return json.dumps({"product": {"sku": "SKU", "attributes": attributes}, "terms": terms})
