"""Networks: trained until they memorize, stored, resumed, and the layers they have."""
